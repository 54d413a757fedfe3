Feature: Nodes

  A node registers at the orchestrator through the gateway, with a token of scope
  nodes, and belongs to the token that registered it first. Three real pool
  managers are registered when these scenarios begin.

  Scenario: A node registers with a valid token
    When I POST "/v2/nodes/register" with the token of "node4" and the body:
      """
      {"node_id":"node4","machine_id":"m4","address":"http://127.0.0.1:9","version":"1","pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1},"dispatch_token":"{dispatch}"}
      """
    Then the answer is 200
    And the answer says:
      | node_id | node4 |
    And the audit trail has the record of this answer:
      | event    | auth_success       |
      | identity | token:{fp6}        |
      | fp6      | {fp6}              |
      | token    | node4              |
      | path     | /v2/nodes/register |
    And the orchestrator's log has "node_registered":
      | node_id  | node4 |
      | identity | node4 |
    And the node "node4" is "online"
    And no log and no audit trail holds the token that I sent
    When I DELETE "/v2/nodes/node4" with the token of "node3"
    Then the answer is 403
    When I DELETE "/v2/nodes/node4" with the token of "node4"
    Then the answer is 204
    And the orchestrator's log has "node_deregistered":
      | node_id  | node4 |
      | identity | node4 |
    And the node "node4" is not listed

  Scenario: A node does not register with an invalid token
    When I POST "/v2/nodes/register" with an unknown token and the body:
      """
      {"node_id":"node5","machine_id":"m5","address":"http://127.0.0.1:9","version":"1","pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1},"dispatch_token":"{dispatch}"}
      """
    Then the answer is 401
    And the answer is a problem with the code "BAD_TOKEN"
    And the audit trail has the record of this answer:
      | event    | auth_failed        |
      | identity | token:{fp6}        |
      | fp6      | {fp6}              |
      | token    |                    |
      | reason   | unknown            |
      | path     | /v2/nodes/register |
    And the metric 'caddy_authmin_failures_total{guard="edge",reason="unknown"}' has grown by 1
    And the node "node5" is not listed
    And no log and no audit trail holds the token that I sent

  Scenario: A node does not register without a token
    When I POST "/v2/nodes/register" without a token and the body:
      """
      {"node_id":"node5","machine_id":"m5","address":"http://127.0.0.1:9","version":"1","pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1},"dispatch_token":"{dispatch}"}
      """
    Then the answer is 401
    And the answer is a problem with the code "MISSING_TOKEN"
    And the audit trail has the record of this answer:
      | event    | auth_failed |
      | identity | anonymous   |
      | reason   | missing     |
    And the node "node5" is not listed

  Scenario: A token of another scope registers no node
    When I POST "/v2/nodes/register" with the token of "ci" and the body:
      """
      {"node_id":"node5","machine_id":"m5","address":"http://127.0.0.1:9","version":"1","pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1},"dispatch_token":"{dispatch}"}
      """
    Then the answer is 403
    And the answer is a problem with the code "INSUFFICIENT_SCOPE"
    And the node "node5" is not listed

  Scenario: A node does not take another node's id
    When I POST "/v2/nodes/register" with the token of "node4" and the body:
      """
      {"node_id":"node1","machine_id":"m4","address":"http://127.0.0.1:9","version":"1","pools":[],"capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1},"dispatch_token":"{dispatch}"}
      """
    Then the answer is 403
    And the owner of the node "node1" is "node1"

  Scenario: Three nodes share the tasks, one leaves, one is killed, and both come back
    Given the nodes "node1, node2, node3" are online
    When I run 3 tasks at once for the model "demo"
    Then each task ended with "end"
    And the tasks ran on the nodes "node1, node2, node3"
    When the node "node3" is stopped
    Then the orchestrator's log has "node_deregistered":
      | node_id  | node3 |
      | identity | node3 |
    And the node "node3" is not listed
    When the node "node2" is killed
    And I run 3 tasks at once for the model "demo"
    Then each task ended with "end"
    And the tasks ran on the nodes "node1"
    And the node "node2" is "offline" within 20 seconds
    When the node "node2" is started
    And the node "node3" is started
    Then the nodes "node1, node2, node3" are online
