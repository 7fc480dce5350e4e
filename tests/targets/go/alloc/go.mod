module allocsnoop.test/alloc

go 1.19
