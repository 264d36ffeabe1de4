-- What was in it is made again: monitors replay, leases are taken anew.

DROP TABLE working;
