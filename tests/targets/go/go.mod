module allocsnoop.test/targets

go 1.19
