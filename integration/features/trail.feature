Feature: The audit trail proves itself

  Each record carries the seal of the one before. `llorch authmin audit verify`
  finds the first record that was changed.

  Scenario: A trail as it was written is intact
    When the operator verifies the audit trail
    Then it ends well
    And it says "intact:"

  Scenario Outline: A changed trail is found out
    Given a copy of the audit trail with <change>
    When the operator verifies the copy
    Then it ends with an error
    And it says "<word>"

    Examples:
      | change                | word              |
      | an edited record      | edited            |
      | a deleted record      | deleted           |
      | two records exchanged | reordered         |
      | its end cut off       | has sealed record |

  Scenario: Another key proves nothing
    When the operator verifies the audit trail with another key
    Then it ends with an error
    And it says "recomputed without the key"
