//! Keys that look like the templates of other languages and are none: `{id}` and `{id:?}` of `format!`, `${id}` of JavaScript,
//! `$id` of shells, `#id` of SpEL, `:id` of SQL and of routes. As text they would be one lock for every call.
//!
//! Only what begins with the name of a parameter counts: elsewhere `{shop}` is a hash tag and `#7` a number.

/// Something that looks like a placeholder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LookAlike {
    /// As it stands there.
    pub(crate) written: String,
    /// The parameter that it begins with.
    pub(crate) root: String,
    /// The whole key with placeholders in the place of all that look like one.
    pub(crate) cure: String,
    /// Whether it would be a hash tag.
    pub(crate) is_a_tag: bool,
}

/// The first one in `text` that counts, by what is written and the path in it.
pub(crate) fn find(text: &str, counts: impl Fn(&str, &str) -> bool) -> Option<LookAlike> {
    let mut first = None;
    let mut cure = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let before = text[..text.len() - rest.len()].chars().next_back();
        match placeholder(rest, before).filter(|found| counts(&rest[..found.length], found.path)) {
            Some(Found { length, path }) => {
                let written = &rest[..length];
                first.get_or_insert((written, path));
                cure += &format!("<{path}>");
                rest = &rest[length..];
            }
            None => {
                cure.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    first.map(|(written, path)| LookAlike {
        written: written.to_owned(),
        root: root(path).to_owned(),
        cure,
        is_a_tag: written.starts_with('{'),
    })
}

/// How much of the text it takes, and the path in it.
struct Found<'a> {
    length: usize,
    path: &'a str,
}

/// What looks like a placeholder at the head of the text, behind the character `before`.
fn placeholder(text: &str, before: Option<char>) -> Option<Found<'_>> {
    let (sign, after) = match text.chars().next()? {
        sign @ ('#' | '$' | '%' | ':') => (Some(sign), &text[1..]),
        _ => (None, text),
    };
    if let Some(inside) = after.strip_prefix('{').filter(|_| sign != Some(':')) {
        // `{{id}}` is that of many template engines.
        let doubled = inside.starts_with('{');
        let (opening, closing) = if doubled { ("{{", "}}") } else { ("{", "}") };
        let (inside, _) = after[opening.len()..].split_once(closing)?;
        let content = inside.trim();
        // `#{#id}`
        let content = content.strip_prefix('#').filter(|_| sign.is_some()).unwrap_or(content);
        let path = path(content)?;
        let formatted = content[path.len()..].trim();
        let length = text.len() - after.len() + opening.len() + inside.len() + closing.len();
        return (sign.is_some() || formatted.is_empty() || formatted.strip_prefix(':').is_some_and(is_a_format))
            .then_some(Found { length, path });
    }
    let counts = match sign? {
        '#' | '$' => true,
        // `"stock:id"` and `"{shop}:id"` are plain words.
        ':' => matches!(before, None | Some(':' | '/')),
        _ => false,
    };
    let path = path(after).filter(|_| counts)?;
    Some(Found { length: 1 + path.len(), path })
}

/// `order.sku`, at the head of the text.
fn path(text: &str) -> Option<&str> {
    let mut end = word(text);
    if end == 0 || text.starts_with(|first: char| first.is_numeric()) {
        return None;
    }
    while let Some(field) = text[end..].strip_prefix('.').map(word).filter(|length| *length > 0) {
        end += 1 + field;
    }
    Some(&text[..end])
}

/// The length of the letters, digits and `_` at the head of the text.
fn word(text: &str) -> usize {
    text.find(|character: char| !(character.is_alphanumeric() || character == '_')).unwrap_or(text.len())
}

/// `order` of `order.sku`.
pub(crate) fn root(path: &str) -> &str {
    &path[..word(path)]
}

/// What may follow the `:` of `format!` and is no word that could follow that of a hash tag, as in `{user:1000}`.
fn is_a_format(text: &str) -> bool {
    let aligned = |text: &str| text.starts_with(['<', '^', '>']);
    let mut characters = text.chars();
    let filled = characters.next().is_some() && aligned(characters.as_str());
    let padded = text.starts_with('0') && text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.ends_with('?')
        || matches!(text, "x" | "X" | "o" | "b" | "e" | "E" | "p")
        || aligned(text)
        || filled
        || padded
        || text.starts_with(['#', '+', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cure(text: &str) -> Option<String> {
        find(text, |_, path| ["id", "order", "self", "shop"].contains(&root(path))).map(|found| found.cure)
    }

    #[test]
    fn what_other_languages_write_is_found_and_spelt_as_ours() {
        for (text, right) in [
            ("stock:{id}", "stock:<id>"),
            ("stock:{ id }", "stock:<id>"),
            ("stock:{order.id}:end", "stock:<order.id>:end"),
            ("stock:{order.0.id}", "stock:<order.0.id>"),
            ("stock:{self.shop}", "stock:<self.shop>"),
            ("stock:{id:?}", "stock:<id>"),
            ("stock:{id:#?}", "stock:<id>"),
            ("stock:{id:>8}", "stock:<id>"),
            ("stock:{id:*^8}", "stock:<id>"),
            ("stock:{id:05}", "stock:<id>"),
            ("stock:{id:.2}", "stock:<id>"),
            ("stock:{id:x}", "stock:<id>"),
            ("stock:#id", "stock:<id>"),
            ("stock:#order.id", "stock:<order.id>"),
            ("stock:#{id}", "stock:<id>"),
            ("stock:#{#id}", "stock:<id>"),
            ("stock:$id", "stock:<id>"),
            ("stock:${id}", "stock:<id>"),
            ("stock:${order.id ?? 0}", "stock:<order.id>"),
            ("stock:%{id}", "stock:<id>"),
            ("stock:{{id}}", "stock:<id>"),
            ("stock:{{ order.id }}", "stock:<order.id>"),
            ("stock::id", "stock:<id>"),
            (":id", "<id>"),
            ("/stock/:id/lines", "/stock/<id>/lines"),
            ("stock:#shop:$id", "stock:<shop>:<id>"),
            ("Lager Ü:#id", "Lager Ü:<id>"),
        ] {
            assert_eq!(cure(text).as_deref(), Some(right), "{text}");
        }
    }

    #[test]
    fn what_is_meant_as_it_stands_is_left_alone() {
        for text in [
            "stock",
            "stock:id",
            "stock.id",
            "stock/id",
            "id",
            "{stock}:id",
            "{stock}::ids",
            "stock:{ids}",
            "stock:{idx}",
            "stock:{Id}",
            "{shop:1000}:x",
            "{shop:berlin}:x",
            "{shop-berlin}",
            "{shop berlin}",
            "{my.shop}",
            "{id",
            "id}",
            "stock:#7",
            "stock:#idx",
            "stock:# id",
            "stock:$",
            "stock:$ids",
            "100%id",
            "a:b:id",
            "{}",
            "#",
            "",
            "ü:ö::ü",
        ] {
            assert_eq!(cure(text), None, "{text}");
        }
    }
}
