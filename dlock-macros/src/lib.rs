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
//! What users read is put together in `mistake` and `suggest`. This file is only the door.

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

use proc_macro2::TokenStream;

/// Depend on `dlock-runtime`, which re-exports this attribute from `dlock-macros` and documents it.
#[proc_macro_attribute]
pub fn distributed_lock(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute(args.into(), item.into()).into()
}

/// Both halves are read whatever the other says, so that independent mistakes come in one go; and the item is handed
/// back as it was written beside the errors, so that its callers do not fail as well.
fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = mistake::Mistakes::default();
    let options = options::Options::read(args, &mut mistakes);
    let function = mistakes.keep(function::Function::read(item.clone()));
    check::options(&options, function.as_ref(), &mut mistakes);
    match (function, mistakes.into_compile_errors()) {
        (Some(function), None) => expand::expand(&options, &function),
        (_, errors) => {
            let mut tokens = errors.unwrap_or_default();
            tokens.extend(item);
            tokens
        }
    }
}
