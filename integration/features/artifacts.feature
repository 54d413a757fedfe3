Feature: Artifacts and sessions

  What a caller makes belongs to the token that made it.

  Scenario: An artifact has the SHA-256 of its canonical content as its id
    When I POST "/v2/artifacts" with the token of "ci" and the body:
      """
      {"kind":"plan","content":{"b":1, "a":2}}
      """
    Then the answer is 201
    And the answer says:
      | id   | d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772 |
      | kind | plan                                                             |
    When I GET "/v2/artifacts/d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772" with the token of "ci"
    Then the answer is 200
    And the answer says:
      | owner     | ci |
      | content.a | 2  |
    When I GET "/v2/artifacts/d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772" with the token of "other"
    Then the answer is 404
    When I GET "/v2/artifacts/d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772" without a token
    Then the answer is 401

  Scenario: A session remembers its turns, for the token that began it
    When I send the task '{"model_ref":"demo","prompt":"Say something.","max_tokens":2,"session_id":"0198c000-0000-7000-8000-000000000001"}' with the token of "ci"
    Then the answer is 202
    When I follow the task's events
    Then the last event is "end"
    When I GET "/v2/sessions/0198c000-0000-7000-8000-000000000001" with the token of "ci"
    Then the answer is 200
    And the answer says:
      | owner     | ci |
      | turns     | 1  |
      | max_turns | 8  |
    When I GET "/v2/sessions/0198c000-0000-7000-8000-000000000001" with the token of "other"
    Then the answer is 404
    When I DELETE "/v2/sessions/0198c000-0000-7000-8000-000000000001" with the token of "ci"
    Then the answer is 204
    When I GET "/v2/sessions/0198c000-0000-7000-8000-000000000001" with the token of "ci"
    Then the answer is 404

  Scenario: A task is seen by the token that made it
    When I send the task '{"model_ref":"demo","prompt":"Say something.","max_tokens":2}' with the token of "ci"
    And I GET "/v2/tasks/{task}" with the token of "other"
    Then the answer is 404
    When I POST "/v2/tasks/{task}/cancel" with the token of "other"
    Then the answer is 404
    When I GET "/v2/tasks/{task}" with the token of "ci"
    Then the answer is 200
    And the answer says:
      | owner | ci |
