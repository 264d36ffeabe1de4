"""What a store raises, whichever store it is.

StoreError            CAL-85x  the store cannot do this now; what it acknowledged before is safe
├── StoreBusyError        CAL-851  another process writes into it
├── StoreFullError        CAL-852  no room is left
├── StoreFaultError       CAL-853  the disk or the server failed in the middle; send the batch again
└── StoreDamagedError     CAL-854  something that was acknowledged cannot be read back
"""

from __future__ import annotations

from calibrant import errors


class StoreError(errors.CalibrantError):
    """The store cannot do this now; everything that it acknowledged before is safe."""


class StoreBusyError(StoreError):
    """Another process writes into the store (CAL-851)."""


class StoreFullError(StoreError):
    """No room is left; nothing of the batch was kept (CAL-852)."""


class StoreFaultError(StoreError):
    """The disk or the server failed before the batch was acknowledged: send it again, it counts once (CAL-853)."""


class StoreDamagedError(StoreError):
    """Something that was acknowledged cannot be read back as it was written (CAL-854)."""
