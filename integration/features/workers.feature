Feature: Workers

  An external replica of a pool registers like a node, with scope nodes.

  Scenario: A worker registers with a valid token
    When I POST "/v2/workers/register" with the token of "node1" and the body:
      """
      {"pool_id":"pool1","replica_id":"replica-a"}
      """
    Then the answer is 200
    And the answer says:
      | ok         | true      |
      | identity   | node1     |
      | replica_id | replica-a |
    And the audit trail has the record of this answer:
      | event    | auth_success         |
      | identity | token:{fp6}          |
      | token    | node1                |
      | path     | /v2/workers/register |
    And the orchestrator's log has "worker registered":
      | replica_id | replica-a |
      | identity   | node1     |

  Scenario: A worker does not take another worker's replica
    Given I POST "/v2/workers/register" with the token of "node1" and the body:
      """
      {"pool_id":"pool1","replica_id":"replica-b"}
      """
    When I POST "/v2/workers/register" with the token of "node2" and the body:
      """
      {"pool_id":"pool1","replica_id":"replica-b"}
      """
    Then the answer is 403
    And the answer is a problem with the code "WORKER_OWNED"

  Scenario: A worker of an unknown pool is refused
    When I POST "/v2/workers/register" with the token of "node1" and the body:
      """
      {"pool_id":"no-such-pool"}
      """
    Then the answer is 404
    And the answer is a problem with the code "POOL_NOT_FOUND"

  Scenario Outline: A worker does not register without a token of scope nodes
    When I POST "/v2/workers/register" <credential> and the body:
      """
      {"pool_id":"pool1","replica_id":"replica-c"}
      """
    Then the answer is <status>
    And the audit trail has the record of this answer:
      | event    | auth_failed |
      | identity | <identity>  |
      | reason   | <reason>    |

    Examples:
      | credential             | status | identity    | reason  |
      | without a token        | 401    | anonymous   | missing |
      | with an unknown token  | 401    | token:{fp6} | unknown |
      | with the token of "ci" | 403    | token:{fp6} | scope   |
