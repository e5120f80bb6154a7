//! Lines over the number of messages in flight, both axes logarithmic, as SVG.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use plotters::{
    chart::ChartBuilder,
    coord::combinators::IntoLogRange as _,
    element::{Circle, PathElement, Text},
    prelude::{IntoDrawingArea as _, SVGBackend},
    series::LineSeries,
    style::{Color as _, RGBColor, WHITE},
};

/// One line: its name, and its points with positive coordinates.
#[derive(Clone, Debug)]
pub struct Line {
    /// For the legend.
    pub name: String,
    /// From left to right. Without any, the line is left out, and its colour with it.
    pub points: Vec<(f64, f64)>,
}

/// Draws `lines` into `file`; its folder is made.
///
/// # Errors
/// There is nothing to draw, or the file cannot be written.
pub fn write(file: &Path, title: &str, x: &str, y: &str, lines: &[Line]) -> anyhow::Result<()> {
    let picture = svg(title, x, y, lines)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))
}

fn svg(title: &str, x: &str, y: &str, lines: &[Line]) -> anyhow::Result<String> {
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(cannot)?;
        let points = || lines.iter().flat_map(|line| &line.points).copied();
        let across = bounds(points().map(|(x, _)| x))?;
        let (low, high) = bounds(points().map(|(_, y)| y))?;
        let (plot, legend) = root.split_horizontally(WIDTH_OF_PLOT);
        let mut chart = ChartBuilder::on(&plot)
            .caption(title, ("sans-serif", 20))
            .margin(15)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(
                (across.0 / 1.3..across.1 * 1.3).log_scale(),
                (low / 1.5..high * 1.5).log_scale(),
            )
            .map_err(cannot)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(x).y_desc(y).light_line_style(LIGHT).bold_line_style(LIGHT).max_light_lines(0);
        mesh.x_label_formatter(&|number: &f64| shortened(*number));
        mesh.y_label_formatter(&|number: &f64| shortened(*number)).draw().map_err(cannot)?;
        // Beside the plot: inside it, there is no corner where many lines leave room.
        // The colour is that of the place, so that a line which one picture lacks does not change those of the others.
        let coloured = lines.iter().zip(COLORS.into_iter().cycle());
        let drawn = coloured.filter(|(line, _)| !line.points.is_empty());
        for (row, (line, color)) in (0..).zip(drawn) {
            let line_style = color.stroke_width(2);
            chart.draw_series(LineSeries::new(line.points.clone(), line_style)).map_err(cannot)?;
            let dots = line.points.iter().map(|point| Circle::new(*point, 3, color.filled()));
            chart.draw_series(dots).map_err(cannot)?;
            let height = LEGEND_TOP + row * LEGEND_ROW;
            legend.draw(&PathElement::new([(0, height), (20, height)], line_style)).map_err(cannot)?;
            let name = Text::new(line.name.as_str(), (26, height - 8), ("sans-serif", 14));
            legend.draw(&name).map_err(cannot)?;
        }
        root.present().map_err(cannot)?;
    }
    Ok(picture)
}

/// The smallest and the largest.
fn bounds(figures: impl Iterator<Item = f64>) -> anyhow::Result<(f64, f64)> {
    let (low, high) = figures
        .filter(|figure| *figure > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), figure| (low.min(figure), high.max(figure)));
    anyhow::ensure!(high > 0.0, "there is nothing to draw");
    Ok((low, high))
}

fn shortened(number: f64) -> String {
    match number {
        1_000_000.0.. => format!("{} M", number / 1_000_000.0),
        1_000.0.. => format!("{} k", number / 1_000.0),
        _ => format!("{}", (number * 100.0).round() / 100.0),
    }
}

fn cannot(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

const SIZE: (u32, u32) = (960, 520);
/// The rest is for the legend.
const WIDTH_OF_PLOT: i32 = 750;
const LEGEND_TOP: i32 = 60;
const LEGEND_ROW: i32 = 24;
const LIGHT: RGBColor = RGBColor(225, 225, 225);
/// Told apart by people who see colours differently, too.
const COLORS: [RGBColor; 9] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_in_the_legend() {
        let line = |name: &str| Line { name: name.to_owned(), points: vec![(1.0, 10.0), (1000.0, 2000.0)] };
        let picture = svg("rates", "in flight", "messages/s", &[line("floor"), line("client")]).unwrap();
        assert!(picture.contains("floor") && picture.contains("client") && picture.contains("rates"));
    }

    #[test]
    fn nothing_is_no_picture() {
        assert!(svg("", "", "", &[]).is_err());
    }
}
