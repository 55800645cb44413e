//! The attribute of `dlock-runtime`, which re-exports it: depend on that crate, never on this one.
//!
//! The pipeline is the folder, and no file imports one that imports it:
//! 1. `options` reads what stands in the brackets, by one table (`pairs` knows the syntax, `values` and `duration` the values,
//!    `template` the keys, by the `grammar` that the runtime has as well).
//! 2. `function` reads the item, with its `parameters`, its `output`, and as `block` a function that returns a future.
//! 3. `check` holds the one against the other, with `rules` for what makes a template safe, `look_alike` for what only looks like
//!    one, and the `limits` of the runtime.
//! 4. `expand` alone emits code. `hazards` finds what the compiler is to warn of, a `transaction` of the caller among it.
//!
//! What users read is put together in `mistake` and `suggest`. All of it is one function from tokens to tokens, `attribute`. This
//! file is only the door.

mod attribute;
mod block;
mod check;
mod duration;
mod expand;
mod function;
mod grammar;
mod hazards;
mod limits;
mod look_alike;
mod mistake;
mod options;
mod output;
mod pairs;
mod parameters;
mod rules;
mod suggest;
mod template;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod values;

/// Depend on `dlock-runtime`, which re-exports this attribute from `dlock-macros` and documents it.
#[proc_macro_attribute]
pub fn distributed_lock(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute::attribute(args.into(), item.into()).into()
}
