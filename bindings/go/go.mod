module github.com/hmtl/hmtl/bindings/go

go 1.23
