module examples

go 1.24

require tollgate v0.1.0

replace tollgate => ../../guest-sdk/go
