//! The attribute of `dlock-runtime`.
