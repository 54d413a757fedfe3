Feature: Tokens that change while the gateway runs

  The operator changes the keyring file with `llorch authmin token`. The command
  returns when the running gateway has the change.

  Scenario: A new token works as soon as the command has returned
    When the operator runs "llorch authmin token new fresh infer", which prints the token "fresh"
    And I GET "/v1/models" with the token of "fresh"
    Then the answer is 200
    And the audit trail has the record of this answer:
      | token    | fresh       |
      | identity | token:{fp6} |
    And no log and no audit trail holds the token that I sent

  Scenario: A rotation overlaps
    Given the operator runs "llorch authmin token new deploy infer", which prints the token "old"
    When the operator runs "llorch authmin token rotate deploy --overlap 8s", which prints the token "new"
    And I GET "/v1/models" with the token of "old"
    Then the answer is 200
    When I GET "/v1/models" with the token of "new"
    Then the answer is 200
    And the audit trail has a "token_rotation_detected" record:
      | token   | deploy       |
      | fp6_old | {fp6 of old} |
      | fp6_new | {fp6 of new} |
    And within 20 seconds GET "/v1/models" with the token of "old" is answered 401
    And the audit trail has the record of this answer:
      | reason   | expired     |
      | identity | token:{fp6} |
      | token    |             |
    When I GET "/v1/models" with the token of "new"
    Then the answer is 200

  Scenario: A revocation ends an open stream, and no other
    Given the operator runs "llorch authmin token new leaked infer", which prints the token "leaked"
    And the token of "leaked" has an open stream
    And the token of "ci" has an open stream
    When the operator runs "llorch authmin token revoke leaked"
    Then the stream of "leaked" ends within 2 seconds
    And the stream of "ci" goes on
    And the audit trail has a "token_revoked" record:
      | token | leaked          |
      | fp6   | {fp6 of leaked} |
      | by    | keyring         |
    And the audit trail has a "stream_terminated" record:
      | token    | leaked                |
      | identity | token:{fp6 of leaked} |
      | reason   | revoked               |
    And the metric 'caddy_authmin_streams_terminated_total{reason="revoked"}' has grown by 1
    When I GET "/v1/models" with the token of "leaked"
    Then the answer is 401
    And the answer is a problem with the code "BAD_TOKEN"
    And the audit trail has the record of this answer:
      | reason   | revoked     |
      | identity | token:{fp6} |

  Scenario: A keyring file that is not valid keeps the last good one
    When the keyring file is overwritten with "not a keyring"
    Then the metric 'caddy_authmin_token_source_errors_total{source="token_file"}' grows within 5 seconds
    And the audit trail has a "config_rejected" record:
      | level | ERROR |
    When I GET "/v1/models" with the token of "ci"
    Then the answer is 200
