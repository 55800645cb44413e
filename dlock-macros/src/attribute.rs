//! The whole attribute as one function over tokens. The macro of the compiler only converts; tests and the fuzzer call this.

use proc_macro2::TokenStream;

use crate::check;
use crate::expand::expand;
use crate::function::Function;
use crate::mistake::Mistakes;
use crate::options::Options;

/// Both halves are read whatever the other says, so that independent mistakes come in one go; and the item is handed
/// back as it was written beside the errors, so that its callers do not fail as well.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::read(args, &mut mistakes);
    let function = mistakes.keep(Function::read(item.clone()));
    check::options(&options, function.as_ref(), &mut mistakes);
    match (function, mistakes.into_compile_errors()) {
        (Some(function), None) => expand(&options, &function),
        (_, errors) => {
            let mut tokens = errors.unwrap_or_default();
            tokens.extend(item);
            tokens
        }
    }
}
