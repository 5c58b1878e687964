# Reads a preprocessed C header. mode=prototypes: writes its functions hmtl_* and types of functions
# alone. mode=stub: writes the whole header, each function with a body.
BEGIN { RS = ";" }
/typedef/ && /\(\*hmtl_/ && mode == "prototypes" { print $0 ";" }
!/typedef/ && /(^|[ *\n])hmtl_[a-z0-9_]+\(/ {
    print $0 (mode == "stub" ? " { __builtin_trap(); }" : ";")
    next
}
mode == "stub" && NF { printf "%s;", $0 }
