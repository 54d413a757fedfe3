Feature: The backends look for themselves

  Orchestrator and pool manager listen on loopback, and still ask for a
  credential on every route but the health check. The loopback bypass is the
  gateway's alone.

  Scenario Outline: A direct call with an unknown token
    When I call <backend> itself
    And I GET "<path>" with an unknown token
    Then the answer is 401
    And the answer is a problem with the code "BAD_TOKEN"
    And the log of <backend> has "auth_failed":
      | identity       | token:{fp6} |
      | fp6            | {fp6}       |
      | reason         | unknown     |
      | correlation_id | {id}        |
    And no log and no audit trail holds the token that I sent

    Examples:
      | backend          | path      |
      | the orchestrator | /v2/nodes |
      | the pool manager | /pools    |

  Scenario Outline: A direct call without a token from localhost
    When I call <backend> itself
    And I GET "<path>" without a token
    Then the answer is 401
    And the answer is a problem with the code "MISSING_TOKEN"
    And the log of <backend> has "auth_failed":
      | identity       | anonymous |
      | reason         | missing   |
      | correlation_id | {id}      |

    Examples:
      | backend          | path      |
      | the orchestrator | /v2/nodes |
      | the pool manager | /pools    |

  Scenario: A client's token does not reach a backend
    When I call the orchestrator itself
    And I GET "/v2/nodes" with my token
    Then the answer is 401

  Scenario: Identity headers need the gateway's credential
    When I call the orchestrator itself
    And I GET "/v2/nodes" with the headers:
      | Authorization   | Bearer {unknown} |
      | X-Auth-Identity | owner            |
      | X-Auth-Scopes   | admin            |
    Then the answer is 401
