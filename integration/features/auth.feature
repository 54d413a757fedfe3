Feature: Who is asking, and may they

  Every route but the health check needs a token. The gateway tells everybody
  without one the same, whether the route is there or not.

  Scenario: The health check is public
    When I GET "/health" without a token
    Then the answer is 200

  Scenario Outline: Everything else needs a token
    When I <method> "<path>" without a token
    Then the answer is 401
    And the answer asks for a bearer token
    And the answer is a problem with the code "MISSING_TOKEN"

    Examples:
      | method | path               |
      | POST   | /v2/tasks          |
      | GET    | /v2/nodes          |
      | GET    | /metrics           |
      | GET    | /no/such/route     |

  Scenario: A wrong token is not taken for none
    When I GET "/v2/nodes" with the token "wrong-wrong-wrong-wrong-wrong-wrong"
    Then the answer is 401
    And the answer is a problem with the code "BAD_TOKEN"

  Scenario: A token in the query is no token
    When I GET "/v2/nodes?access_token=" and my token, without a header
    Then the answer is 401

  Scenario: My token opens what it is for
    When I GET "/v2/nodes" with my token
    Then the answer is 200

  Scenario: The correlation id comes back
    When I GET "/health" without a token and with the header "X-Correlation-Id: abc-123"
    Then the answer has the header "X-Correlation-Id: abc-123"
