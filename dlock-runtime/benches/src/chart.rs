//! The chart: what the figures are beside rslock, beside a bare mutex and beside the floor, each on a scale of powers
//! of ten. A bar begins at 1, where both sides are equal.

use std::fmt::Write;

use crate::{
    Figure,
    figure::{Unit, exactly, number},
};

const WIDTH: f64 = 880.;
const MARGIN: f64 = 28.;
/// Where the bars are, and where the numbers beside them end.
const PLOT: [f64; 2] = [292., 664.];
const VALUES: f64 = 752.;
const GOALS: f64 = WIDTH - MARGIN;
const ROW: f64 = 30.;
const BAR: f64 = 16.;

/// A group of bars on one scale.
struct Panel {
    title: &'static str,
    /// Which way is good.
    note: &'static str,
    /// Case, figure, and what it is called here.
    bars: &'static [(&'static str, &'static str, &'static str)],
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "Beside rslock",
        note: "how many times its throughput, or how many times faster: more is better",
        bars: &[
            ("hot_key_one_process", "64 tasks: throughput beside rslock", "one hot key, 64 tasks"),
            ("hot_key_one_process", "256 tasks: throughput beside rslock", "one hot key, 256 tasks"),
            ("hot_key_processes", "default: throughput beside rslock", "one hot key, 4 processes × 16"),
            ("hot_key_processes", "throughput: throughput beside rslock", "the same, set for throughput"),
            ("hot_key_single_tasks", "throughput beside rslock", "one hot key, 4 processes × 1"),
            ("hand_over", "p50: times faster than rslock", "hand-over to another process"),
            ("many_keys", "64 tasks: throughput beside rslock", "10,000 keys, 64 tasks"),
            ("many_keys", "512 tasks: throughput beside rslock", "10,000 keys, 512 tasks"),
        ],
    },
    Panel {
        title: "Beside a bare tokio::sync::Mutex",
        note: "how many times its throughput within one process: more is better",
        bars: &[
            ("hot_key_one_process", "64 tasks: throughput beside a mutex", "one hot key, 64 tasks"),
            ("hot_key_one_process", "256 tasks: throughput beside a mutex", "one hot key, 256 tasks"),
        ],
    },
    Panel {
        title: "Beside the floor, SET NX PX and an unlock script",
        note: "how many times its time for one cycle: less is better",
        bars: &[
            ("uncontended", "time beside the floor", "uncontended"),
            ("uncontended", "time with confirm_release(false) beside the floor", "uncontended, confirm_release(false)"),
            ("linger", "time beside the floor", "uncontended, same key, linger"),
        ],
    },
];

// In an image on a page the colours follow the reader's system. A renderer that does not know that draws a light card.
const STYLE: &str = "
  .card { fill: #ffffff; stroke: #d8dee4 }
  text { font-family: -apple-system, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif }
  text { font-size: 13px; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .faint { fill: #636c76; font-size: 12px }
  .value { font-weight: 600 }
  .grid { stroke: #e6eaef }
  .one { stroke: #8c959f }
  .good { fill: #2f81d6 }
  .bad { fill: #d9822b }
  .range { stroke: #1f2328; stroke-width: 1.2; opacity: 0.55 }
  .goal { fill: none; stroke: #1a7f37; stroke-width: 2.4 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #12171e; stroke: #30363d }
    text { fill: #e6edf3 }
    .faint { fill: #9198a1 }
    .grid { stroke: #252c35 }
    .one { stroke: #6e7681 }
    .good { fill: #4c9df0 }
    .bad { fill: #e0963f }
    .range { stroke: #e6edf3 }
    .goal { stroke: #4ac26b }
  }
";

/// Draws what there is of the figures as an SVG document.
pub(crate) fn draw(figures: &[Figure]) -> Result<String, std::fmt::Error> {
    let mut body = String::new();
    let mut y = MARGIN + 4.;
    for panel in PANELS {
        y = draw_panel(&mut body, &panel, figures, y)?;
    }
    legend(&mut body, y)?;
    let height = y + MARGIN;
    let mut image = String::new();
    writeln!(
        image,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">"#
    )?;
    writeln!(image, "<title>dlock beside rslock, a bare mutex and the floor</title>\n<style>{STYLE}</style>")?;
    let (width, inner) = (WIDTH - 1., height - 1.);
    writeln!(image, r#"<rect class="card" x="0.5" y="0.5" width="{width}" height="{inner}" rx="10"/>"#)?;
    writeln!(image, "{body}</svg>")?;
    Ok(image)
}

/// Draws one panel with its top at `y`, and gives where the next one begins.
fn draw_panel(body: &mut String, panel: &Panel, figures: &[Figure], y: f64) -> Result<f64, std::fmt::Error> {
    let of = |case: &str, name: &str| figures.iter().find(|figure| figure.case == case && figure.name == name);
    let rows = panel.bars.iter().map(|(case, name, label)| (*label, of(case, name))).collect::<Vec<_>>();
    let scale = Scale::of(rows.iter().filter_map(|(_, figure)| *figure));
    writeln!(body, r#"<text class="title" x="{MARGIN}" y="{}">{}</text>"#, y + 12., panel.title)?;
    writeln!(body, r#"<text class="faint" x="{MARGIN}" y="{}">{}</text>"#, y + 31., panel.note)?;
    let top = y + 44.;
    let bottom = top + ROW * rows.len() as f64;
    for power in scale.low..=scale.high {
        let (at, class) = (scale.at(10f64.powi(power)), if power == 0 { "one" } else { "grid" });
        writeln!(body, r#"<line class="{class}" x1="{at:.1}" x2="{at:.1}" y1="{top}" y2="{bottom}"/>"#)?;
        let label = exactly(10f64.powi(power), Unit::Count);
        writeln!(body, r#"<text class="faint" x="{at:.1}" y="{}" text-anchor="middle">{label}×</text>"#, bottom + 17.)?;
    }
    for (row, (label, figure)) in rows.into_iter().enumerate() {
        let middle = top + ROW * (row as f64 + 0.5);
        writeln!(body, r#"<text x="{MARGIN}" y="{}">{label}</text>"#, middle + 4.5)?;
        match figure {
            Some(figure) => draw_bar(body, &scale, figure, middle)?,
            None => writeln!(
                body,
                r#"<text class="faint" x="{VALUES}" y="{}" text-anchor="end">not measured</text>"#,
                middle + 4.5
            )?,
        }
    }
    Ok(bottom + 50.)
}

fn draw_bar(body: &mut String, scale: &Scale, figure: &Figure, middle: f64) -> Result<(), std::fmt::Error> {
    let [low, value, high] = [figure.spread.low, figure.spread.median, figure.spread.high].map(|value| scale.at(value));
    let one = scale.at(1.);
    let (left, width) = (one.min(value), (value - one).abs().max(1.5));
    let reached = figure.goal().is_none_or(|goal| goal.is_met(figure.spread.median));
    let class = if reached { "good" } else { "bad" };
    let top = middle - BAR / 2.;
    writeln!(body, r#"<rect class="{class}" x="{left:.1}" y="{top}" width="{width:.1}" height="{BAR}" rx="2"/>"#)?;
    if figure.spread.low < figure.spread.high {
        writeln!(
            body,
            r#"<path class="range" d="M{low:.1} {middle}H{high:.1}M{low:.1} {}v6M{high:.1} {}v6"/>"#,
            middle - 3.,
            middle - 3.
        )?;
    }
    let baseline = middle + 4.5;
    let text = number(figure.spread.median);
    writeln!(body, r#"<text class="value" x="{VALUES}" y="{baseline}" text-anchor="end">{text}×</text>"#)?;
    if let Some(goal) = figure.goal() {
        let at = scale.at(goal.value());
        writeln!(body, r#"<path class="goal" d="M{at:.1} {}v{}"/>"#, top - 4., BAR + 8.)?;
        let goal = exactly(goal.value(), Unit::Count);
        writeln!(body, r#"<text class="faint" x="{GOALS}" y="{baseline}" text-anchor="end">goal {goal}×</text>"#)?;
    }
    Ok(())
}

fn legend(body: &mut String, y: f64) -> std::fmt::Result {
    let (middle, baseline) = (y - 6., y - 2.);
    let mut x = MARGIN;
    for (class, label, width) in [("good", "goal reached", 132.), ("bad", "goal not reached", 158.)] {
        writeln!(body, r#"<rect class="{class}" x="{x}" y="{}" width="26" height="12" rx="2"/>"#, middle - 6.)?;
        writeln!(body, r#"<text class="faint" x="{}" y="{baseline}">{label}</text>"#, x + 34.)?;
        x += width;
    }
    writeln!(body, r#"<path class="goal" d="M{} {}v16"/>"#, x + 2., middle - 8.)?;
    writeln!(body, r#"<text class="faint" x="{}" y="{baseline}">the goal</text>"#, x + 11.)?;
    x += 84.;
    writeln!(body, r#"<path class="range" d="M{x} {middle}h26m-26 -3v6m26 -6v6"/>"#)?;
    writeln!(
        body,
        r#"<text class="faint" x="{}" y="{baseline}">the middle 80% of the rounds; bars end at their median</text>"#,
        x + 34.
    )
}

/// Powers of ten, from left to right.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    /// One that has room for all these, their goals, and 1.
    fn of<'a>(figures: impl Iterator<Item = &'a Figure>) -> Self {
        let (mut low, mut high) = (0., 0f64);
        for figure in figures {
            let goal = figure.goal().map(|bound| bound.value());
            for value in [figure.spread.low, figure.spread.high].into_iter().chain(goal).filter(|value| *value > 0.) {
                low = value.log10().min(low);
                high = value.log10().max(high);
            }
        }
        // At least one power each way shows which way is which.
        Self { low: (low.floor() as i32).min(-1), high: (high.ceil() as i32).max(1) }
    }

    fn at(&self, value: f64) -> f64 {
        let powers = f64::from(self.high - self.low);
        let place = (value.max(f64::MIN_POSITIVE).log10() - f64::from(self.low)) / powers;
        PLOT[0] + (PLOT[1] - PLOT[0]) * place.clamp(0., 1.)
    }
}
