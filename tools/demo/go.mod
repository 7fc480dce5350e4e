module allocsnoop.demo/orders

go 1.18
