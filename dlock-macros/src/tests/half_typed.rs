//! Code as it stands while somebody types. Editors expand the attribute at every keystroke: it must never panic, must leave
//! the function where it is, so that completion goes on in it, and must not drown the one message that matters.

use proc_macro2::{Group, TokenStream, TokenTree};

use super::{FUNCTION, attribute, errors};

const OPTIONS: &str = "key = \"stock:<id>\", ttl = 2.5, wait = \"forever\", renew = \"500ms\", max_hold = 60 * 5, \
     on_lost = finish, or_else = |error: LockError, | Err(f::<A, B>(error)), guard = lock, label = \"stock\", reentrant = false, \
     runtime = &state.locks[1], warn = false, doc = false, crate = ::shop::dlock_runtime";

const ITEMS: [&str; 6] = [
    FUNCTION,
    "#[must_use] pub(crate) async unsafe fn deduct<'a, T: Copy>(&'a self, Path((id, _)): Path<(T, u8)>, mut order: Order<'_>) \
     -> Result<&'a [T], Box<dyn Error + Send>> where T: Send + 'a { #![allow(x)] let left = read(id).await?; Ok(left) }",
    "fn deduct(id: u64) -> impl Future<Output = Result<u8, E>> + Send { async move { read(id).await } }",
    "fn deduct<'a>(&'a self, __arg1: (u8, u8)) -> Pin<Box<dyn Future<Output = R> + 'a>> \
     { Box::pin(async move { let (id, b) = { let __arg1 = __arg1; __arg1 }; b }) }",
    "async fn deduct(tx: &mut sqlx::Transaction<'_, Postgres>, id: u64) -> Result<(), E> { tokio::spawn(work(id)); Ok(()) }",
    "impl Shop { async fn deduct(&self, id: u64) -> Result<(), E> { Ok(()) } }",
];

/// The stream cut off after each of its tokens, also inside of its brackets.
fn truncations(tokens: &TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut cut = Vec::new();
    for end in 0..=tokens.len() {
        let before = || tokens[..end].iter().cloned();
        cut.push(before().collect());
        if let Some(TokenTree::Group(group)) = tokens.get(end) {
            for inner in truncations(&group.stream()) {
                let group = Group::new(group.delimiter(), inner);
                cut.push(before().chain([TokenTree::from(group)]).collect());
            }
        }
    }
    cut
}

/// The stream without each of its tokens.
fn gaps(tokens: &TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut with_gaps = Vec::new();
    for gap in 0..tokens.len() {
        let (before, after) = (&tokens[..gap], &tokens[gap + 1..]);
        let around =
            |inner: Option<TokenTree>| before.iter().cloned().chain(inner).chain(after.iter().cloned()).collect();
        with_gaps.push(around(None));
        if let TokenTree::Group(group) = &tokens[gap] {
            for inner in gaps(&group.stream()) {
                with_gaps.push(around(Some(Group::new(group.delimiter(), inner).into())));
            }
        }
    }
    with_gaps
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

/// Whether all of `item` stands in `output`, one after the other: as it was written or with the lock around the body.
fn stands_in(item: &TokenStream, output: &TokenStream) -> bool {
    let written = flat(item.clone());
    let mut output = flat(output.clone()).into_iter();
    written.iter().all(|token| output.any(|other| other == *token))
}

fn flat(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => flat(group.stream()),
            other => vec![other.to_string()],
        })
        .collect()
}

#[test]
fn an_item_that_is_cut_off_or_has_a_gap_is_handed_back_with_at_most_one_message() {
    let options = "key = \"stock:<id>\"";
    for item in ITEMS.map(tokens) {
        for item in truncations(&item).into_iter().chain(gaps(&item)) {
            let output = crate::attribute::attribute(tokens(options), item.clone());
            assert!(named_wild(&item) || stands_in(&item, &output), "{item}\n{output}");
            let messages = errors(output);
            assert!(messages.len() <= 1, "{item}: {messages:?}");
        }
    }
}

/// A `_` gets a name.
fn named_wild(item: &TokenStream) -> bool {
    flat(item.clone()).iter().any(|token| token == "_")
}

#[test]
fn options_that_are_cut_off_or_have_a_gap_leave_the_function_and_say_one_thing_for_each_option() {
    let item = tokens(FUNCTION);
    for args in truncations(&tokens(OPTIONS)) {
        let output = crate::attribute::attribute(args.clone(), item.clone());
        assert!(stands_in(&item, &output), "{args}\n{output}");
        let messages = errors(output);
        assert!(messages.len() <= 1, "{args}: {messages:?}");
        assert!(messages.iter().all(|message| message.contains("\nhelp: ")), "{args}: {messages:?}");
    }
    for args in gaps(&tokens(OPTIONS)) {
        let output = crate::attribute::attribute(args.clone(), item.clone());
        assert!(stands_in(&item, &output), "{args}\n{output}");
        // `= "stock:<id>"` is the value of no option, and the key is missing.
        let messages = errors(output);
        assert!(messages.len() <= 2, "{args}: {messages:?}");
    }
}

#[test]
fn a_body_that_is_half_typed_is_expanded_all_the_same() {
    for body in [
        "let left = ;",
        "let x =",
        "order.",
        "order.lines[0].",
        "read(id).await?.",
        "if left <",
        "match left { 1 => ",
        "for x in",
        "tokio::",
        "tokio::spawn",
        "tokio::spawn(",
        "::",
        "return ::tokio::spawn",
        "let Order { id, ",
        "Ok(left -",
        "'",
        "#",
        "#![",
        "r#type.",
        "|x|",
        "async move {",
        "}",
    ] {
        // What is not closed yet is closed by the editor before anything is expanded, and so here.
        let opened: String = body.chars().filter(|c| "([{".contains(*c)).collect();
        let closed: String = opened
            .chars()
            .rev()
            .map(|c| {
                if c == '(' {
                    ')'
                } else if c == '[' {
                    ']'
                } else {
                    '}'
                }
            })
            .collect();
        let Ok(body) = format!("{body}{closed}").parse::<TokenStream>() else { continue };
        let item = format!("async fn deduct(id: u64, order: Order) -> Result<u32, E> {{ {body} }}");
        let output = attribute("key = \"stock:<id>\"", &item);
        let messages = errors(output.clone());
        assert_eq!(messages, Vec::<String>::new(), "{item}");
        assert!(output.to_string().contains("renew_while"), "{item}: the body is not under the lock");
        assert!(stands_in(&tokens(&item), &output), "{item}\n{output}");
    }
}

/// The negative control: a token that is missing is missed.
#[test]
fn what_was_lost_is_noticed() {
    let item = tokens(FUNCTION);
    let output = crate::attribute::attribute(tokens("key = \"stock:<id>\""), item.clone());
    assert!(stands_in(&item, &output));
    for lost in ["await", "StockError", "qty"] {
        let without = output.to_string().replace(lost, "");
        assert!(!stands_in(&item, &tokens(&without)), "{lost}");
    }
}
