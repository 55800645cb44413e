//! Tables on the terminal.

/// Lines of cells, printed with the columns under each other.
#[derive(Debug)]
pub struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; the first and the last one are aligned to the left.
    pub fn new<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Self {
        Self { lines: vec![header.map(str::to_owned).to_vec()] }
    }

    /// One line more.
    pub fn line<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.lines.push(cells.to_vec());
    }

    /// Shows it.
    pub fn print(&self) {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            self.lines.iter().filter_map(|line| line.get(column)).map(|cell: &String| cell.chars().count()).max()
        };
        let widths = (0..columns).map(|column| width(column).unwrap_or_default()).collect::<Vec<_>>();
        for line in &self.lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 || column + 1 == columns { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}
