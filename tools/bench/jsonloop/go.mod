module jsonloop

go 1.19
