Feature: Pools

  An operator drains a pool before its machine is serviced, and gives it a model
  again. Both go through the orchestrator to the pool manager of the node.

  Scenario: A drained pool gets no more tasks, and serves again after a preload
    When I POST "/v2/pools/pool2/drain" with my token and the body:
      """
      {"deadline_ms":1000}
      """
    Then the answer is 202
    And within 15 seconds GET "/v2/pools/pool2/health" with my token says:
      | ready | false |
    When I run 3 tasks at once for the model "demo"
    Then each task ended with "end"
    And the tasks ran on the nodes "node1, node3"
    When I call the gateway of the node "node2"
    Then within 15 seconds GET "/pools/pool2/status" with the token of "node2-dispatch" says:
      | state | stopped |
    When I POST "/pools/pool2/preload" with the token of "node2-dispatch" and the body:
      """
      {"template":"demo","wait_ms":20000}
      """
    Then the answer is 200
    When I call the gateway in front of the orchestrator
    Then within 15 seconds GET "/v2/pools/pool2/health" with my token says:
      | ready | true |

  Scenario: A reload brings the new model into service, or keeps the old one
    When I POST "/v2/pools/pool2/reload" with my token and the body:
      """
      {"new_model_ref":"demo"}
      """
    Then the answer is 202
    And within 15 seconds GET "/v2/pools/pool2/health" with my token says:
      | ready | true |
    When I POST "/v2/pools/pool2/reload" with my token and the body:
      """
      {"new_model_ref":"file:no-such-model.gguf"}
      """
    Then the answer is 422
    And the answer is a problem with the code "INVALID_MODEL_REF"
    And within 15 seconds GET "/v2/pools/pool2/health" with my token says:
      | ready | true |

  Scenario Outline: Only scope admin drains and reloads
    When I POST "/v2/pools/pool1/<what>" <credential> and the body:
      """
      {"deadline_ms":1000,"new_model_ref":"demo"}
      """
    Then the answer is <status>
    And the audit trail has the record of this answer:
      | reason | <reason> |

    Examples:
      | what   | credential                | status | reason  |
      | drain  | without a token           | 401    | missing |
      | drain  | with the token of "ci"    | 403    | scope   |
      | reload | with the token of "node1" | 403    | scope   |
      | reload | with an unknown token     | 401    | unknown |

  Scenario: A node's gateway takes the node's own dispatch token, and no other
    When I call the gateway of the node "node1"
    And I GET "/pools" with the token of "node1-dispatch"
    Then the answer is 200
    And the audit trail has the record of this answer:
      | token    | node1-dispatch |
      | identity | token:{fp6}    |
    When I GET "/pools" with the token of "node1"
    Then the answer is 403
    When I GET "/pools" without a token
    Then the answer is 401
