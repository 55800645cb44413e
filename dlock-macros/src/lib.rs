//! The attribute of `dlock-runtime`, which re-exports it: depend on that crate, never on this one.
//!
//! The pipeline is the folder. This file is only the door: `args` reads the options (their syntax is in `pairs`, their
//! values in `values`, `duration` and `template`, with `rules` for what makes a template safe, `look_alike` for what only looks like one, and `limits` for what a lock can
//! be asked for, which the runtime has as well), `function` reads the item
//! with its `parameters` and its `output` (`block` knows functions that return a future, `hazards` what the compiler is to
//! warn of), and only `expand` emits code.
//! What users read is put together in `mistake` and `suggest`.

mod args;
mod block;
mod duration;
mod expand;
mod function;
mod hazards;
mod limits;
mod look_alike;
mod mistake;
mod output;
mod pairs;
mod parameters;
mod rules;
mod suggest;
mod template;
#[cfg(test)]
mod tests;
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
    let args = args::Args::read(args, &mut mistakes);
    let function = mistakes.keep(function::Function::read(item.clone()));
    args.check_against(function.as_ref(), &mut mistakes);
    match (function, mistakes.into_compile_errors()) {
        (Some(function), None) => expand::expand(&args, &function),
        (_, errors) => {
            let mut tokens = errors.unwrap_or_default();
            tokens.extend(item);
            tokens
        }
    }
}
