Feature: What refuses to start

  A guard that other machines can reach needs a token and TLS.

  Scenario: An exposed guard without a token
    When I start llorch with the Caddyfile:
      """
      {
      	admin off
      	persist_config off
      	log {
      		format authmin
      	}
      }
      http://:{port} {
      	bind 0.0.0.0
      	authmin {
      		plaintext
      		require infer /v1/*
      	}
      	reverse_proxy 127.0.0.1:9
      }
      """
    Then it ends with an error
    And it says "NON_LOOPBACK_WITHOUT_TOKEN"
    And it says "startup_bind_refused"
    And it says "0.0.0.0:{port}"

  Scenario: An exposed guard on plain HTTP
    When I start llorch with a token and the Caddyfile:
      """
      {
      	admin off
      	persist_config off
      	log {
      		format authmin
      	}
      }
      http://:{port} {
      	bind 0.0.0.0
      	authmin {
      		require infer /v1/*
      	}
      	reverse_proxy 127.0.0.1:9
      }
      """
    Then it ends with an error
    And it says "plaintext"
    And it says "0.0.0.0:{port}"

  Scenario Outline: A backend that other machines can reach without a token
    When I start <program> at "0.0.0.0:{port}" without a token
    Then it ends with an error
    And it says "NON_LOOPBACK_WITHOUT_TOKEN"
    And it says "0.0.0.0:{port}"

    Examples:
      | program       |
      | orchestratord |
      | poolmanagerd  |

  Scenario: A reload to an exposed guard is refused, and the old configuration serves
    When the operator reloads with one more site:
      """
      http://:{port} {
      	bind 0.0.0.0
      	authmin open {
      		require infer /v1/*
      	}
      	reverse_proxy 127.0.0.1:9
      }
      """
    Then it ends with an error
    And it says "plaintext"
    And the audit trail has a "startup_bind_refused" record:
      | guard | open |
    And nothing listens at the port
    When I GET "/v1/models" with the token of "ci"
    Then the answer is 200
