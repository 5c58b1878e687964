module github.com/hmtl/hmtl/examples/go

go 1.23

require github.com/hmtl/hmtl/bindings/go v0.0.0

replace github.com/hmtl/hmtl/bindings/go => ../../bindings/go
