Feature: Tokens at the edge

  Every route but the health check needs a token. The policy is the one of
  Caddyfile.example. Without a valid token every path gets the same answer,
  whether the route exists or not.

  Scenario: The health check is public
    When I GET "/health" without a token
    Then the answer is 200

  Scenario Outline: Everything else needs a token
    When I <method> "<path>" without a token
    Then the answer is 401
    And the answer asks for a bearer token
    And the answer is a problem with the code "MISSING_TOKEN"
    And the audit trail has the record of this answer:
      | event    | auth_failed |
      | decision | refuse      |
      | identity | anonymous   |
      | fp6      |             |
      | reason   | missing     |
      | path     | <path>      |

    Examples:
      | method | path           |
      | POST   | /v2/tasks      |
      | GET    | /v2/nodes      |
      | GET    | /metrics       |
      | GET    | /no/such/route |

  Scenario: An unknown token is refused and audited by its fingerprint
    When I GET "/v2/nodes" with an unknown token
    Then the answer is 401
    And the answer is a problem with the code "BAD_TOKEN"
    And the audit trail has the record of this answer:
      | event    | auth_failed |
      | identity | token:{fp6} |
      | fp6      | {fp6}       |
      | token    |             |
      | reason   | unknown     |
    And the metric 'caddy_authmin_failures_total{guard="edge",reason="unknown"}' has grown by 1
    And no log and no audit trail holds the token that I sent

  Scenario: A token in the query is no token
    When I GET "/v2/nodes?access_token=" and my token, without a header
    Then the answer is 401
    And the audit trail has the record of this answer:
      | reason   | missing   |
      | identity | anonymous |
    And no log and no audit trail holds the token that I sent

  Scenario: A valid token opens its routes
    When I GET "/v2/nodes" with my token
    Then the answer is 200
    And the audit trail has the record of this answer:
      | event    | auth_success |
      | decision | allow        |
      | identity | token:{fp6}  |
      | token    | owner        |
    And the metric 'caddy_authmin_decisions_total{decision="allowed",guard="edge"}' has grown
    And no log and no audit trail holds the token that I sent

  Scenario Outline: Another scheme is no bearer token
    When I GET "/v2/nodes" with the headers:
      | Authorization | <scheme> {owner} |
    Then the answer is 401
    And the audit trail has the record of this answer:
      | event  | auth_failed |
      | reason | <reason>    |

    Examples:
      | scheme | reason    |
      | Basic  | malformed |
      | Token  | malformed |
      | Digest | malformed |

  Scenario: Two Authorization headers are refused, though one is valid
    When I GET "/v2/nodes" with the headers:
      | Authorization | Bearer {owner} |
      | Authorization | Bearer {ci}    |
    Then the answer is 401
    And the audit trail has the record of this answer:
      | event  | auth_failed |
      | reason | malformed   |

  Scenario Outline: A scope opens its routes and no others
    When I <method> "<path>" with the token of "<token>"
    Then the answer is <status>
    And the audit trail has the record of this answer:
      | decision | <decision>  |
      | reason   | <reason>    |
      | token    | <token>     |
      | identity | token:{fp6} |

    Examples:
      | token     | method | path               | status | decision | reason |
      | ci        | GET    | /v1/models         | 200    | allow    |        |
      | ci        | GET    | /v2/nodes          | 403    | refuse   | scope  |
      | ci        | GET    | /metrics           | 403    | refuse   | scope  |
      | ci        | GET    | /v2/catalog/models | 403    | refuse   | scope  |
      | ci        | GET    | /pools             | 403    | refuse   | scope  |
      | scraper   | GET    | /metrics           | 200    | allow    |        |
      | scraper   | GET    | /v1/models         | 403    | refuse   | scope  |
      | librarian | GET    | /v2/catalog/models | 200    | allow    |        |
      | librarian | POST   | /v2/nodes/register | 403    | refuse   | scope  |
      | owner     | GET    | /no/such/route     | 403    | refuse   | policy |

  Scenario: The correlation id comes back
    When I GET "/health" without a token and with the header "X-Correlation-Id: abc-123"
    Then the answer has the header "X-Correlation-Id: abc-123"
