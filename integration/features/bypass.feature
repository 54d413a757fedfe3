Feature: The loopback bypass

  With AUTH_OPTIONAL=true a client of this machine needs no token. What shows that
  a request may come from elsewhere ends that.

  Background:
    Given a gateway with AUTH_OPTIONAL=true

  Scenario: A task from localhost without a token
    When I POST "/v2/tasks" without a token and the body:
      """
      {"model_ref":"demo","prompt":"Say something.","max_tokens":2}
      """
    Then the answer is 202
    And the audit trail has the record of this answer:
      | event    | auth_success |
      | decision | allow        |
      | identity | localhost    |
      | fp6      |              |
    And the task belongs to "localhost"

  Scenario Outline: A trap ends the bypass
    When I POST "/v2/tasks" with the headers:
      | <header> | <value> |
    Then the answer is <status>
    And the audit trail has the record of this answer:
      | event    | auth_failed |
      | decision | refuse      |
      | identity | <identity>  |
      | reason   | <reason>    |

    Examples:
      | header          | value                | status | identity    | reason    |
      | Host            | gateway.example.com  | 403    | anonymous   | host      |
      | Host            | localhost:1          | 403    | anonymous   | host      |
      | Origin          | https://evil.example | 403    | anonymous   | origin    |
      | Referer         | https://evil.example | 403    | anonymous   | origin    |
      | Sec-Fetch-Site  | cross-site           | 403    | anonymous   | origin    |
      | X-Forwarded-For | 192.0.2.1            | 401    | anonymous   | missing   |
      | Forwarded       | for=192.0.2.1        | 401    | anonymous   | missing   |
      | Via             | 1.1 proxy            | 401    | anonymous   | missing   |
      | X-Real-IP       | 192.0.2.1            | 401    | anonymous   | missing   |
      | Authorization   | Bearer {unknown}     | 401    | token:{fp6} | unknown   |
      | Authorization   | Basic eDp5           | 401    | anonymous   | malformed |

  Scenario: Without AUTH_OPTIONAL localhost needs a token like any other client
    Given a gateway without AUTH_OPTIONAL
    When I POST "/v2/tasks" without a token and the body:
      """
      {"model_ref":"demo","prompt":"Say something.","max_tokens":2}
      """
    Then the answer is 401
    And the audit trail has the record of this answer:
      | identity | anonymous |
      | reason   | missing   |
