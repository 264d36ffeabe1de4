-- The join, the maturity rule and the summary of an example stream, compiled for bigquery.
WITH `given_predictions` AS (
SELECT
  CAST(`payment_id` AS STRING) AS `id`,
  UNIX_MICROS(TIMESTAMP(`scored_at`)) AS `at_us`,
  0 AS `received_us`,
  CAST(`p_fraud` AS FLOAT64) AS `score`,
  CAST(`model` AS STRING) AS `model`,
  CAST(`weight` AS FLOAT64) AS `weight`,
  CAST(`channel` AS STRING) AS `cohort_0`,
  CAST(`country` AS STRING) AS `cohort_1`
FROM `risk`.`scores`
),
`given_labels` AS (
SELECT
  CAST(`payment_id` AS STRING) AS `prediction`,
  UNIX_MICROS(TIMESTAMP(`booked_at`)) AS `at_us`,
  `loaded_at` * 1000 AS `received_us`,
  CAST(`is_fraud` AS FLOAT64) AS `value`,
  CAST(`source` AS STRING) AS `source`,
  CAST(`revision` AS INT64) AS `revision`,
  CAST(NULL AS FLOAT64) AS `weight`,
  CAST(NULL AS FLOAT64) AS `propensity`
FROM `risk`.`chargebacks`
),
`step_1` AS (
  SELECT
    `id`,
    `at_us`,
    `received_us`,
    COALESCE(`score`, -CAST(1.0 AS FLOAT64)) AS `score`,
    COALESCE(`model`, '') AS `model`,
    COALESCE(`weight`, CAST(1.0 AS FLOAT64)) AS `weight`,
    COALESCE(`cohort_0`, '') AS `cohort_0`,
    COALESCE(`cohort_1`, '') AS `cohort_1`
  FROM `given_predictions`
  WHERE
    `received_us` <= 1764000000000000
    AND `at_us` >= 1750000000000000
    AND `at_us` <= 1764000000000000
), `step_2` AS (
  SELECT
    `id`,
    `at_us`,
    `received_us`,
    CASE
      WHEN `score` >= CAST(0.0 AS FLOAT64) AND `score` <= CAST(1.0 AS FLOAT64)
      THEN `score` + CAST(0.0 AS FLOAT64)
      ELSE CAST(0.5 AS FLOAT64)
    END AS `score`,
    `model`,
    CASE
      WHEN `weight` >= CAST(0.0 AS FLOAT64)
      AND `weight` <= CAST(1.7976931348623157e+308 AS FLOAT64)
      THEN `weight`
      ELSE CAST(1.0 AS FLOAT64)
    END AS `weight`,
    `cohort_0`,
    `cohort_1`,
    CASE
      WHEN `score` >= CAST(0.0 AS FLOAT64) AND `score` <= CAST(1.0 AS FLOAT64)
      THEN CAST(0.0 AS FLOAT64)
      ELSE CAST(1.0 AS FLOAT64)
    END AS `no_score`,
    CASE
      WHEN `weight` >= CAST(0.0 AS FLOAT64)
      AND `weight` <= CAST(1.7976931348623157e+308 AS FLOAT64)
      THEN CAST(0.0 AS FLOAT64)
      ELSE CAST(1.0 AS FLOAT64)
    END AS `no_weight`,
    CAST(1.0 AS FLOAT64) AS `copies`
  FROM `step_1` AS `given_predictions`
), `step_3` AS (
  SELECT
    `id` AS `id`,
    `at_us` AS `at_us`,
    `score` AS `score`,
    `no_score` AS `no_score`,
    `model` AS `model`,
    `weight` AS `weight`,
    `no_weight` AS `no_weight`,
    `cohort_0` AS `cohort_0`,
    `cohort_1` AS `cohort_1`,
    `copies` AS `copies`,
    CAST(0.0 AS FLOAT64) AS `ambiguous`
  FROM `step_2` AS `given_predictions`
), `step_4` AS (
  SELECT
    `id`,
    COALESCE(SUM(`copies`), 0) AS `copies`
  FROM `step_2` AS `given_predictions`
  GROUP BY
    `id`
), `step_5` AS (
  SELECT
    `id` AS `id`,
    `copies`
  FROM `step_4` AS `given_predictions`
), `step_6` AS (
  SELECT
    `id`
  FROM `step_5` AS `given_predictions`
  WHERE
    `copies` > CAST(1.0 AS FLOAT64)
), `step_7` AS (
  SELECT
    lhs.*
  FROM `step_3` AS `lhs`
  WHERE
    NOT EXISTS(
      SELECT
        1
      FROM `step_6` AS `rhs`
      WHERE
        (
          `lhs`.`id` = `rhs`.`id`
        )
    )
), `step_8` AS (
  SELECT
    `lhs`.`id`,
    `lhs`.`at_us`,
    `lhs`.`received_us`,
    `lhs`.`score`,
    `lhs`.`model`,
    `lhs`.`weight`,
    `lhs`.`cohort_0`,
    `lhs`.`cohort_1`,
    `lhs`.`no_score`,
    `lhs`.`no_weight`,
    `lhs`.`copies`
  FROM `step_2` AS `lhs`
  INNER JOIN `step_6` AS `rhs`
    ON (
      `lhs`.`id` = `rhs`.`id`
    )
), `step_9` AS (
  SELECT
    `id`,
    COALESCE(SUM(`copies`), 0) AS `copies`,
    MIN(`at_us`) AS `at_us_low`,
    MIN(`score`) AS `score_low`,
    MIN(`no_score`) AS `no_score_low`,
    MIN(`model`) AS `model_low`,
    MIN(`weight`) AS `weight_low`,
    MIN(`no_weight`) AS `no_weight_low`,
    MIN(`cohort_0`) AS `cohort_0_low`,
    MIN(`cohort_1`) AS `cohort_1_low`,
    MAX(`at_us`) AS `at_us`,
    MAX(`score`) AS `score`,
    MAX(`no_score`) AS `no_score`,
    MAX(`model`) AS `model`,
    MAX(`weight`) AS `weight`,
    MAX(`no_weight`) AS `no_weight`,
    MAX(`cohort_0`) AS `cohort_0`,
    MAX(`cohort_1`) AS `cohort_1`
  FROM `step_8` AS `given_predictions`
  GROUP BY
    `id`
), `step_10` AS (
  SELECT
    `id` AS `id`,
    `copies`,
    `at_us_low`,
    `score_low`,
    `no_score_low`,
    `model_low`,
    `weight_low`,
    `no_weight_low`,
    `cohort_0_low`,
    `cohort_1_low`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`
  FROM `step_9` AS `given_predictions`
), `step_11` AS (
  SELECT
    `id`,
    `copies`,
    `at_us_low`,
    `score_low`,
    `no_score_low`,
    `model_low`,
    `weight_low`,
    `no_weight_low`,
    `cohort_0_low`,
    `cohort_1_low`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    CASE
      WHEN (
        (
          (
            (
              (
                (
                  `at_us` = `at_us_low` AND `score` = `score_low`
                )
                AND `no_score` = `no_score_low`
              )
              AND `model` = `model_low`
            )
            AND `weight` = `weight_low`
          )
          AND `no_weight` = `no_weight_low`
        )
        AND `cohort_0` = `cohort_0_low`
      )
      AND `cohort_1` = `cohort_1_low`
      THEN CAST(0.0 AS FLOAT64)
      ELSE CAST(1.0 AS FLOAT64)
    END AS `ambiguous`
  FROM `step_10` AS `given_predictions`
), `step_12` AS (
  SELECT
    `id`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`
  FROM `step_11` AS `given_predictions`
), `step_13` AS (
  SELECT
    *
  FROM `step_7` AS `given_predictions`
  UNION ALL
  SELECT
    *
  FROM `step_12` AS `given_predictions`
), `step_14` AS (
  SELECT
    `id`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    CASE
      WHEN `cohort_1` IN ('CH', 'O\'Brien\\', 'US')
      THEN `cohort_1`
      ELSE '__other__'
    END AS `cohort_1`,
    `copies`,
    `ambiguous`
  FROM `step_13` AS `given_predictions`
), `step_15` AS (
  SELECT
    `prediction` AS `prediction`,
    `at_us` AS `at_us`,
    `value` + CAST(0.0 AS FLOAT64) AS `value`,
    COALESCE(`source`, '') AS `source`,
    COALESCE(`revision`, 0) AS `revision`,
    COALESCE(`weight`, CAST(1.0 AS FLOAT64)) AS `weight`,
    COALESCE(`propensity`, CAST(1.0 AS FLOAT64)) AS `propensity`,
    CAST(1.0 AS FLOAT64) AS `copies`
  FROM `given_labels`
  WHERE
    `received_us` <= 1764000000000000
    AND (
      (
        (
          (
            (
              COALESCE(`value`, -CAST(1.0 AS FLOAT64)) = CAST(0.0 AS FLOAT64)
              OR COALESCE(`value`, -CAST(1.0 AS FLOAT64)) = CAST(1.0 AS FLOAT64)
            )
            AND COALESCE(`weight`, CAST(1.0 AS FLOAT64)) >= CAST(0.0 AS FLOAT64)
          )
          AND COALESCE(`weight`, CAST(1.0 AS FLOAT64)) <= CAST(1.7976931348623157e+308 AS FLOAT64)
        )
        AND COALESCE(`propensity`, CAST(1.0 AS FLOAT64)) > CAST(0.0 AS FLOAT64)
      )
      AND COALESCE(`propensity`, CAST(1.0 AS FLOAT64)) <= CAST(1.0 AS FLOAT64)
    )
), `step_16` AS (
  SELECT
    `prediction`,
    COALESCE(SUM(`copies`), 0) AS `matched`,
    MAX(`at_us`) AS `label_at`,
    MAX(`value`) AS `only_value`,
    MAX(`weight`) AS `only_weight`,
    MAX(`propensity`) AS `only_propensity`
  FROM `step_15` AS `given_labels`
  GROUP BY
    `prediction`
), `step_17` AS (
  SELECT
    `prediction` AS `prediction`,
    `matched`,
    `label_at`,
    `only_value`,
    `only_weight`,
    `only_propensity`
  FROM `step_16` AS `given_labels`
), `step_18` AS (
  SELECT
    `lhs`.`id`,
    `lhs`.`at_us`,
    `lhs`.`score`,
    `lhs`.`no_score`,
    `lhs`.`model`,
    `lhs`.`weight`,
    `lhs`.`no_weight`,
    `lhs`.`cohort_0`,
    `lhs`.`cohort_1`,
    `lhs`.`copies`,
    `lhs`.`ambiguous`,
    `matched`,
    `label_at`,
    `only_value`,
    `only_weight`,
    `only_propensity`
  FROM `step_14` AS `lhs`
  LEFT JOIN `step_17` AS `rhs`
    ON (
      `lhs`.`id` = `rhs`.`prediction`
    )
), `step_19` AS (
  SELECT
    `id`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    COALESCE(`matched`, CAST(0.0 AS FLOAT64)) AS `matched`,
    `label_at`,
    `only_value`,
    `only_weight`,
    `only_propensity`
  FROM `step_18` AS `given_predictions`
), `step_20` AS (
  SELECT
    `at_us` AS `at_us`,
    `score` AS `score`,
    `no_score` AS `no_score`,
    `model` AS `model`,
    `weight` AS `weight`,
    `no_weight` AS `no_weight`,
    `cohort_0` AS `cohort_0`,
    `cohort_1` AS `cohort_1`,
    `copies` AS `copies`,
    `ambiguous` AS `ambiguous`,
    `matched` AS `matched`,
    CASE
      WHEN `matched` = CAST(1.0 AS FLOAT64)
      AND (
        NOT (
          `label_at` > (
            `at_us` + 7776000000000
          )
        )
      )
      THEN `only_value`
      ELSE -CAST(1.0 AS FLOAT64)
    END AS `label_value`,
    CASE
      WHEN `matched` = CAST(1.0 AS FLOAT64)
      AND (
        NOT (
          `label_at` > (
            `at_us` + 7776000000000
          )
        )
      )
      THEN `only_weight`
      ELSE CAST(1.0 AS FLOAT64)
    END AS `label_weight`,
    CASE
      WHEN `matched` = CAST(1.0 AS FLOAT64)
      AND (
        NOT (
          `label_at` > (
            `at_us` + 7776000000000
          )
        )
      )
      THEN `only_propensity`
      ELSE CAST(1.0 AS FLOAT64)
    END AS `label_propensity`,
    CASE
      WHEN `matched` = CAST(1.0 AS FLOAT64) AND `label_at` > (
        `at_us` + 7776000000000
      )
      THEN CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `late`,
    CASE
      WHEN `matched` = CAST(1.0 AS FLOAT64) AND `label_at` < `at_us`
      THEN CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `early`,
    CAST(0.0 AS FLOAT64) AS `repeated`,
    CAST(0.0 AS FLOAT64) AS `contradicted`,
    CAST(0.0 AS FLOAT64) AS `unresolved`
  FROM `step_19` AS `given_predictions`
  WHERE
    `matched` < CAST(2.0 AS FLOAT64)
), `step_21` AS (
  SELECT
    `id`,
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`
  FROM `step_19` AS `given_predictions`
  WHERE
    `matched` > CAST(1.0 AS FLOAT64)
), `step_22` AS (
  SELECT
    `id` AS `prediction`,
    `at_us` AS `made_at`
  FROM `step_21` AS `given_predictions`
), `step_23` AS (
  SELECT
    `lhs`.`prediction`,
    `lhs`.`at_us`,
    `lhs`.`value`,
    `lhs`.`source`,
    `lhs`.`revision`,
    `lhs`.`weight`,
    `lhs`.`propensity`,
    `lhs`.`copies`,
    `made_at`
  FROM `step_15` AS `lhs`
  INNER JOIN `step_22` AS `rhs`
    ON (
      `lhs`.`prediction` = `rhs`.`prediction`
    )
), `step_24` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    COALESCE(SUM(`copies`), 0) AS `copies`,
    MIN(`at_us`) AS `at_us_low`,
    MIN(`value`) AS `value_low`,
    MIN(`weight`) AS `weight_low`,
    MIN(`propensity`) AS `propensity_low`,
    MAX(`at_us`) AS `at_us`,
    MAX(`value`) AS `value`,
    MAX(`weight`) AS `weight`,
    MAX(`propensity`) AS `propensity`,
    MAX(`made_at`) AS `made_at`
  FROM `step_23` AS `given_labels`
  GROUP BY
    `prediction`,
    `source`,
    `revision`
), `step_25` AS (
  SELECT
    `prediction` AS `prediction`,
    `source` AS `source`,
    `revision` AS `revision`,
    `copies`,
    `at_us_low`,
    `value_low`,
    `weight_low`,
    `propensity_low`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`
  FROM `step_24` AS `given_labels`
), `step_26` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    `copies`,
    `at_us_low`,
    `value_low`,
    `weight_low`,
    `propensity_low`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`,
    CASE
      WHEN (
        (
          `at_us` = `at_us_low` AND `value` = `value_low`
        ) AND `weight` = `weight_low`
      )
      AND `propensity` = `propensity_low`
      THEN CAST(0.0 AS FLOAT64)
      ELSE CAST(1.0 AS FLOAT64)
    END AS `ambiguous`
  FROM `step_25` AS `given_labels`
), `step_27` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`,
    `copies`,
    `ambiguous`
  FROM `step_26` AS `given_labels`
), `step_28` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`,
    `copies`,
    `ambiguous`,
    CASE
      WHEN `ambiguous` = CAST(0.0 AS FLOAT64) AND `at_us` <= (
        `made_at` + 7776000000000
      )
      THEN CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `counts`,
    CASE
      WHEN `ambiguous` = CAST(0.0 AS FLOAT64)
      AND (
        NOT (
          `at_us` <= (
            `made_at` + 7776000000000
          )
        )
      )
      THEN CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `late`,
    CASE
      WHEN `ambiguous` = CAST(0.0 AS FLOAT64) AND `at_us` < `made_at`
      THEN CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `early`,
    CASE
      WHEN `ambiguous` = CAST(0.0 AS FLOAT64)
      THEN `copies` - CAST(1.0 AS FLOAT64)
      ELSE CAST(0.0 AS FLOAT64)
    END AS `repeated`,
    CASE
      WHEN `ambiguous` = CAST(0.0 AS FLOAT64)
      THEN CAST(0.0 AS FLOAT64)
      ELSE `copies`
    END AS `contradicted`
  FROM `step_27` AS `given_labels`
), `step_29` AS (
  SELECT
    `prediction`,
    COALESCE(SUM(`late`), 0) AS `late`,
    COALESCE(SUM(`early`), 0) AS `early`,
    COALESCE(SUM(`repeated`), 0) AS `repeated`,
    COALESCE(SUM(`contradicted`), 0) AS `contradicted`
  FROM `step_28` AS `given_labels`
  GROUP BY
    `prediction`
), `step_30` AS (
  SELECT
    `prediction` AS `prediction`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`
  FROM `step_29` AS `given_labels`
), `step_31` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`,
    `copies`,
    `ambiguous`,
    `counts`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    CAST(0.0 AS FLOAT64) AS `unresolved`,
    CASE
      WHEN `source` = 'bank'
      THEN CAST(2.0 AS FLOAT64)
      ELSE CASE WHEN `source` = 'desk' THEN CAST(1.0 AS FLOAT64) ELSE CAST(0.0 AS FLOAT64) END
    END AS `standing`
  FROM `step_28` AS `given_labels`
  WHERE
    `counts` > CAST(0.0 AS FLOAT64)
), `step_32` AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY `prediction`
      ORDER BY `standing` DESC, `revision` DESC, `at_us` DESC, `source` DESC
    ) AS `place_1`
  FROM `step_31` AS `given_labels`
), `step_33` AS (
  SELECT
    `prediction`,
    `source`,
    `revision`,
    `at_us`,
    `value`,
    `weight`,
    `propensity`,
    `made_at`,
    `copies`,
    `ambiguous`,
    `counts`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    `standing`
  FROM `step_32` AS `given_labels`
  WHERE
    `place_1` = 1
), `step_34` AS (
  SELECT
    `prediction` AS `prediction`,
    CASE WHEN `unresolved` = CAST(0.0 AS FLOAT64) THEN `value` ELSE NULL END AS `their_value`,
    `weight` AS `their_weight`,
    `propensity` AS `their_propensity`,
    `unresolved` AS `unresolved`
  FROM `step_33` AS `given_labels`
), `step_35` AS (
  SELECT
    `lhs`.`prediction`,
    `lhs`.`late`,
    `lhs`.`early`,
    `lhs`.`repeated`,
    `lhs`.`contradicted`,
    `their_value`,
    `their_weight`,
    `their_propensity`,
    `unresolved`
  FROM `step_30` AS `lhs`
  LEFT JOIN `step_34` AS `rhs`
    ON (
      `lhs`.`prediction` = `rhs`.`prediction`
    )
), `step_36` AS (
  SELECT
    `lhs`.`id`,
    `lhs`.`at_us`,
    `lhs`.`score`,
    `lhs`.`no_score`,
    `lhs`.`model`,
    `lhs`.`weight`,
    `lhs`.`no_weight`,
    `lhs`.`cohort_0`,
    `lhs`.`cohort_1`,
    `lhs`.`copies`,
    `lhs`.`ambiguous`,
    `lhs`.`matched`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `their_value`,
    `their_weight`,
    `their_propensity`,
    `unresolved`
  FROM `step_21` AS `lhs`
  INNER JOIN `step_35` AS `rhs`
    ON (
      `lhs`.`id` = `rhs`.`prediction`
    )
), `step_37` AS (
  SELECT
    `at_us` AS `at_us`,
    `score` AS `score`,
    `no_score` AS `no_score`,
    `model` AS `model`,
    `weight` AS `weight`,
    `no_weight` AS `no_weight`,
    `cohort_0` AS `cohort_0`,
    `cohort_1` AS `cohort_1`,
    `copies` AS `copies`,
    `ambiguous` AS `ambiguous`,
    `matched` AS `matched`,
    COALESCE(`their_value`, -CAST(1.0 AS FLOAT64)) AS `label_value`,
    COALESCE(`their_weight`, CAST(1.0 AS FLOAT64)) AS `label_weight`,
    COALESCE(`their_propensity`, CAST(1.0 AS FLOAT64)) AS `label_propensity`,
    COALESCE(`late`, CAST(0.0 AS FLOAT64)) AS `late`,
    COALESCE(`early`, CAST(0.0 AS FLOAT64)) AS `early`,
    COALESCE(`repeated`, CAST(0.0 AS FLOAT64)) AS `repeated`,
    COALESCE(`contradicted`, CAST(0.0 AS FLOAT64)) AS `contradicted`,
    COALESCE(`unresolved`, CAST(0.0 AS FLOAT64)) AS `unresolved`
  FROM `step_36` AS `given_predictions`
), `step_38` AS (
  SELECT
    *
  FROM `step_20` AS `given_predictions`
  UNION ALL
  SELECT
    *
  FROM `step_37` AS `given_predictions`
), `step_39` AS (
  SELECT
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`,
    `label_value`,
    `label_weight`,
    `label_propensity`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    CASE
      WHEN `ambiguous` > CAST(0.0 AS FLOAT64)
      THEN CAST(7.0 AS FLOAT64)
      ELSE CASE
        WHEN `no_score` > CAST(0.0 AS FLOAT64) OR `no_weight` > CAST(0.0 AS FLOAT64)
        THEN CAST(6.0 AS FLOAT64)
        ELSE CASE
          WHEN NOT (
            `at_us` <= 1756224000000000 OR `label_value` = CAST(1.0 AS FLOAT64)
          )
          THEN CAST(2.0 AS FLOAT64)
          ELSE CASE
            WHEN `unresolved` > CAST(0.0 AS FLOAT64)
            THEN CAST(4.0 AS FLOAT64)
            ELSE CASE
              WHEN (
                `weight` * `label_weight`
              ) = CAST(0.0 AS FLOAT64)
              THEN CAST(5.0 AS FLOAT64)
              ELSE CASE
                WHEN `label_value` >= CAST(0.0 AS FLOAT64)
                THEN CAST(0.0 AS FLOAT64)
                ELSE CAST(1.0 AS FLOAT64)
              END
            END
          END
        END
      END
    END AS `state`,
    `weight` * `label_weight` AS `w`,
    CASE
      WHEN `label_value` >= CAST(0.0 AS FLOAT64)
      THEN `label_value`
      ELSE CAST(0.0 AS FLOAT64)
    END AS `y`
  FROM `step_38` AS `given_predictions`
), `step_40` AS (
  SELECT
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`,
    `label_value`,
    `label_weight`,
    `label_propensity`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    `state`,
    `w`,
    `y`,
    CASE
      WHEN `score` <= CAST(0.5 AS FLOAT64)
      THEN `score`
      ELSE CAST(1.0 AS FLOAT64) - `score`
    END * CAST(16777216.0 AS FLOAT64) AS `u`
  FROM `step_39` AS `given_predictions`
), `step_41` AS (
  SELECT
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`,
    `label_value`,
    `label_weight`,
    `label_propensity`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    `state`,
    `w`,
    `y`,
    `u`,
    CASE
      WHEN `u` >= CAST(1.0 AS FLOAT64)
      THEN CASE
        WHEN `u` >= CAST(4096.0 AS FLOAT64)
        THEN CASE
          WHEN `u` >= CAST(262144.0 AS FLOAT64)
          THEN CASE
            WHEN `u` >= CAST(2097152.0 AS FLOAT64)
            THEN CASE
              WHEN `u` >= CAST(4194304.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(8388608.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(7.62939453125e-06 AS FLOAT64)) + CAST(1410.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(1.52587890625e-05 AS FLOAT64)) + CAST(1346.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(3.0517578125e-05 AS FLOAT64)) + CAST(1282.0 AS FLOAT64)
            END
            ELSE CASE
              WHEN `u` >= CAST(524288.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(1048576.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(6.103515625e-05 AS FLOAT64)) + CAST(1218.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(0.0001220703125 AS FLOAT64)) + CAST(1154.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(0.000244140625 AS FLOAT64)) + CAST(1090.0 AS FLOAT64)
            END
          END
          ELSE CASE
            WHEN `u` >= CAST(32768.0 AS FLOAT64)
            THEN CASE
              WHEN `u` >= CAST(65536.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(131072.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(0.00048828125 AS FLOAT64)) + CAST(1026.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(0.0009765625 AS FLOAT64)) + CAST(962.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(0.001953125 AS FLOAT64)) + CAST(898.0 AS FLOAT64)
            END
            ELSE CASE
              WHEN `u` >= CAST(8192.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(16384.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(0.00390625 AS FLOAT64)) + CAST(834.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(0.0078125 AS FLOAT64)) + CAST(770.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(0.015625 AS FLOAT64)) + CAST(706.0 AS FLOAT64)
            END
          END
        END
        ELSE CASE
          WHEN `u` >= CAST(64.0 AS FLOAT64)
          THEN CASE
            WHEN `u` >= CAST(512.0 AS FLOAT64)
            THEN CASE
              WHEN `u` >= CAST(1024.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(2048.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(0.03125 AS FLOAT64)) + CAST(642.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(0.0625 AS FLOAT64)) + CAST(578.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(0.125 AS FLOAT64)) + CAST(514.0 AS FLOAT64)
            END
            ELSE CASE
              WHEN `u` >= CAST(128.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(256.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(0.25 AS FLOAT64)) + CAST(450.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(0.5 AS FLOAT64)) + CAST(386.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(1.0 AS FLOAT64)) + CAST(322.0 AS FLOAT64)
            END
          END
          ELSE CASE
            WHEN `u` >= CAST(8.0 AS FLOAT64)
            THEN CASE
              WHEN `u` >= CAST(16.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(32.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(2.0 AS FLOAT64)) + CAST(258.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(4.0 AS FLOAT64)) + CAST(194.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(8.0 AS FLOAT64)) + CAST(130.0 AS FLOAT64)
            END
            ELSE CASE
              WHEN `u` >= CAST(2.0 AS FLOAT64)
              THEN CASE
                WHEN `u` >= CAST(4.0 AS FLOAT64)
                THEN FLOOR(`u` * CAST(16.0 AS FLOAT64)) + CAST(66.0 AS FLOAT64)
                ELSE FLOOR(`u` * CAST(32.0 AS FLOAT64)) + CAST(2.0 AS FLOAT64)
              END
              ELSE FLOOR(`u` * CAST(64.0 AS FLOAT64)) + -CAST(62.0 AS FLOAT64)
            END
          END
        END
      END
      ELSE CASE
        WHEN `u` > CAST(0.0 AS FLOAT64)
        THEN CAST(1.0 AS FLOAT64)
        ELSE CAST(0.0 AS FLOAT64)
      END
    END AS `rank`
  FROM `step_40` AS `given_predictions`
), `step_42` AS (
  SELECT
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`,
    `label_value`,
    `label_weight`,
    `label_propensity`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    `state`,
    `w`,
    `y`,
    `u`,
    `rank`,
    CASE
      WHEN `score` > CAST(0.5 AS FLOAT64)
      THEN CAST(2948.0 AS FLOAT64) - `rank`
      ELSE `rank`
    END + FLOOR(`score` * CAST(60.0 AS FLOAT64)) AS `cell`
  FROM `step_41` AS `given_predictions`
), `step_43` AS (
  SELECT
    `at_us`,
    `score`,
    `no_score`,
    `model`,
    `weight`,
    `no_weight`,
    `cohort_0`,
    `cohort_1`,
    `copies`,
    `ambiguous`,
    `matched`,
    `label_value`,
    `label_weight`,
    `label_propensity`,
    `late`,
    `early`,
    `repeated`,
    `contradicted`,
    `unresolved`,
    `state`,
    `w`,
    `y`,
    `u`,
    `rank`,
    `cell`,
    CAST(1.0 AS FLOAT64) AS `n`,
    `w` * `y` AS `wy`,
    (
      `w` * `y`
    ) * `y` AS `wyy`,
    `w` * `score` AS `wp`,
    (
      `w` * `score`
    ) * `score` AS `wpp`,
    (
      `w` * `score`
    ) * `y` AS `wpy`,
    `w` * `w` AS `ww`,
    (
      (
        `w` * `w`
      ) * `score`
    ) * (
      CAST(1.0 AS FLOAT64) - `score`
    ) AS `wwv`,
    `w` * (
      (
        LN(
          CASE
            WHEN CASE
              WHEN `y` > CAST(0.5 AS FLOAT64)
              THEN `score`
              ELSE CAST(1.0 AS FLOAT64) - `score`
            END > CAST(2.220446049250313e-16 AS FLOAT64)
            THEN CASE
              WHEN CASE
                WHEN `y` > CAST(0.5 AS FLOAT64)
                THEN `score`
                ELSE CAST(1.0 AS FLOAT64) - `score`
              END < CAST(0.9999999999999998 AS FLOAT64)
              THEN CASE
                WHEN `y` > CAST(0.5 AS FLOAT64)
                THEN `score`
                ELSE CAST(1.0 AS FLOAT64) - `score`
              END
              ELSE CAST(0.9999999999999998 AS FLOAT64)
            END
            ELSE CAST(2.220446049250313e-16 AS FLOAT64)
          END
        )
      ) * -CAST(1.0 AS FLOAT64)
    ) AS `loss`
  FROM `step_42` AS `given_predictions`
), `step_44` AS (
  SELECT
    `model`,
    `cohort_0`,
    `cohort_1`,
    `state`,
    `cell`,
    COALESCE(SUM(`n`), 0) AS `n`,
    COALESCE(SUM(`w`), 0) AS `w`,
    COALESCE(SUM(`wy`), 0) AS `wy`,
    COALESCE(SUM(`wyy`), 0) AS `wyy`,
    COALESCE(SUM(`wp`), 0) AS `wp`,
    COALESCE(SUM(`wpp`), 0) AS `wpp`,
    COALESCE(SUM(`wpy`), 0) AS `wpy`,
    COALESCE(SUM(`ww`), 0) AS `ww`,
    COALESCE(SUM(`wwv`), 0) AS `wwv`,
    COALESCE(SUM(`loss`), 0) AS `loss`,
    COALESCE(SUM(`copies`), 0) AS `copies`,
    COALESCE(SUM(`matched`), 0) AS `matched`,
    COALESCE(SUM(`late`), 0) AS `late`,
    COALESCE(SUM(`early`), 0) AS `early`,
    COALESCE(SUM(`repeated`), 0) AS `repeated`,
    COALESCE(SUM(`contradicted`), 0) AS `contradicted`
  FROM `step_43` AS `given_predictions`
  GROUP BY
    `model`,
    `cohort_0`,
    `cohort_1`,
    `state`,
    `cell`
)
SELECT
  `model` AS `model`,
  `cohort_0` AS `cohort_0`,
  `cohort_1` AS `cohort_1`,
  `state` AS `state`,
  `cell` AS `cell`,
  `n`,
  `w`,
  `wy`,
  `wyy`,
  `wp`,
  `wpp`,
  `wpy`,
  `ww`,
  `wwv`,
  `loss`,
  `copies`,
  `matched`,
  `late`,
  `early`,
  `repeated`,
  `contradicted`
FROM `step_44` AS `given_predictions`
