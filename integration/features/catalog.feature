Feature: The catalog

  A model is registered under an id with its digest, and verified by reading its
  source. All of it needs scope catalog.

  Scenario: A model is found by its id, and verified
    When I POST "/v2/catalog/models" with the token of "librarian" and the body:
      """
      {"id":"tiny:1b","digest":"{digest}","source_url":"file:tiny.gguf"}
      """
    Then the answer is 201
    When I GET "/v2/catalog/models/tiny:1b" with the token of "librarian"
    Then the answer is 200
    And the answer says:
      | id                  | tiny:1b    |
      | digest              | {digest}   |
      | created_by          | librarian  |
      | verification.status | unverified |
    And the audit trail has the record of this answer:
      | token | librarian                  |
      | path  | /v2/catalog/models/tiny:1b |
    When I POST "/v2/catalog/models/tiny:1b/verify" with the token of "librarian"
    Then the answer is 202
    And within 10 seconds GET "/v2/catalog/models/tiny:1b" with the token of "librarian" says:
      | verification.status | verified |
    When I GET "/v2/catalog/models/tiny:1b" with the token of "ci"
    Then the answer is 403
    When I DELETE "/v2/catalog/models/tiny:1b" with the token of "librarian"
    Then the answer is 204
    When I GET "/v2/catalog/models/tiny:1b" with the token of "librarian"
    Then the answer is 404

  Scenario: A digest that does not fit is told
    Given I POST "/v2/catalog/models" with the token of "librarian" and the body:
      """
      {"id":"forged","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","source_url":"file:tiny.gguf"}
      """
    When I POST "/v2/catalog/models/forged/verify" with the token of "librarian"
    Then within 10 seconds GET "/v2/catalog/models/forged" with the token of "librarian" says:
      | verification.status | failed |
    And the answer names the field "{digest}"
