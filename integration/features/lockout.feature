Feature: Brute force

  Here a client that has sent five invalid tokens in a minute is locked out for
  three seconds. A valid token and a public route pass always.

  Scenario: A client that guesses is locked out for a while, other clients are not
    When I GET "/v2/nodes" 5 times with an unknown token
    Then the answer is 401
    When I GET "/v2/nodes" with an unknown token
    Then the answer is 429
    And the answer has a "Retry-After" of 1 to 3 seconds
    And the audit trail has the record of this answer:
      | event     | auth_failed  |
      | reason    | locked       |
      | client_ip | {my address} |
    And the audit trail has a "lockout_start" record:
      | client_ip | {my address} |
      | failures  | 5            |
    And the metric 'caddy_authmin_lockouts_total' has grown by 1
    When I GET "/v2/nodes" with my token
    Then the answer is 200
    When I GET "/health" without a token
    Then the answer is 200
    When I call from another address
    And I GET "/v2/nodes" with an unknown token
    Then the answer is 401
    And within 8 seconds the audit trail has a "lockout_end" record of this scenario's first address

  Scenario: Missing tokens do not cause a lockout
    When I GET "/v2/nodes" 7 times without a token
    Then the answer is 401
    And the metric 'caddy_authmin_lockouts_total' has grown by 0
