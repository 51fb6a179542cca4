# Three reads and one write: what the bench of languages measures in each of them.
package tollgate

import input.attributes.request.http.headers

result := {"allowed": true, "headers": {"x-out": concat("", [headers["user-agent"], headers.accept, headers["x-api-key"]])}}
