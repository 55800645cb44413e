//! Stands in each copy of the attribute, and hands out of it what the checks ask for.

use syn::LitStr;

use super::check;
use super::mistake::Mistakes;
use super::template::{Part, Template};
use crate::{Copy, Piece, Read};

pub(crate) const fn copy(name: &'static str) -> Copy {
    Copy { name, attribute: super::attribute, template }
}

fn template(literal: &LitStr) -> Option<Read> {
    let mut mistakes = Mistakes::default();
    let read = Template::read(literal, &mut mistakes);
    if let Some(template) = &read {
        check::template(template, None, &mut mistakes);
    }
    let accepted = mistakes.into_compile_errors().is_none();
    let piece = |part| match part {
        Part::Text(text) => Piece::Text(text),
        Part::Value(_) => Piece::Value,
    };
    read.map(|template| (template.parts.into_iter().map(piece).collect(), accepted))
}
