module tollgate

go 1.24
