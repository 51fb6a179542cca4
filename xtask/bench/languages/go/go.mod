module go-three-reads

go 1.24

require tollgate v0.1.0

replace tollgate => ./.tollgate/guest-sdk/go
