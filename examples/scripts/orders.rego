# Who may do what with orders, as a policy for OPA with Envoy says it.
package tollgate

import input.attributes.request.http as http_request

default result := {"allowed": false, "http_status": 403, "body": "Orders are for those who say who they are."}

# What is not about orders is for everybody.
result := true if input.parsed_path[0] != "orders"

# Orders are read by whoever says who it is, and changed by clerks.
result := {"allowed": true, "headers": {"x-role": role}} if {
    input.parsed_path[0] == "orders"
    role := data.config.roles[http_request.headers["x-user"]]
    http_request.method in methods[role]
}

methods := {"reader": ["GET", "HEAD"], "clerk": ["GET", "HEAD", "POST", "DELETE"]}
