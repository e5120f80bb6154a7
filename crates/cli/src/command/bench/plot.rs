//! The picture: throughput above, latencies below, both over time.

use anyhow::anyhow;
use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::combinators::IntoLogRange as _,
    element::PathElement,
    prelude::{DrawingArea, IntoDrawingArea as _, IntoFont as _, SVGBackend},
    series::LineSeries,
    style::{Color as _, RGBColor, WHITE},
};

use super::{record::Point, report::Report};

/// Draws the seconds of a report.
pub(super) fn svg(report: &Report) -> anyhow::Result<String> {
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(cannot)?;
        let root = root.titled(&report.title(), ("sans-serif", 20).into_font()).map_err(cannot)?;
        let (above, below) = root.split_vertically(SIZE.1 / 2 - 40);
        throughput(&above, report.points())?;
        latencies(&below, report.points())?;
        root.present().map_err(cannot)?;
    }
    Ok(picture)
}

/// Which number of a point a line shows.
type Of = fn(&Point) -> u64;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn throughput(area: &Area<'_>, points: &[Point]) -> anyhow::Result<()> {
    let most = points.iter().map(|point| point.per_second).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..end(points) * MARGIN, 0.0..most * 1.1)
        .map_err(cannot)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("seconds")
        .y_desc("messages/s")
        .light_line_style(LIGHT)
        .bold_line_style(LIGHT)
        .max_light_lines(0);
    mesh.y_label_formatter(&|rate: &f64| shortened(*rate)).draw().map_err(cannot)?;
    let line = steps(points, |point| point.per_second);
    chart.draw_series(LineSeries::new(line, COLORS[0].stroke_width(2))).map_err(cannot)?;
    Ok(())
}

fn latencies(area: &Area<'_>, points: &[Point]) -> anyhow::Result<()> {
    let lowest = points.iter().map(|point| point.p50).min().unwrap_or(1).max(1);
    let highest = points.iter().map(|point| point.max).max().unwrap_or(1).max(1);
    // Whole decades: from 100 µs to 10 ms, say.
    let decades = 10f64.powf((lowest as f64).log10().floor())..10f64.powi(highest.ilog10() as i32 + 1);
    let mut chart = ChartBuilder::on(area)
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..end(points) * MARGIN, decades.log_scale())
        .map_err(cannot)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("seconds")
        .y_desc("latency")
        .light_line_style(LIGHT)
        .bold_line_style(LIGHT)
        .max_light_lines(0);
    mesh.y_label_formatter(&|micros: &f64| time(*micros)).draw().map_err(cannot)?;
    let lines: [(&str, Of); 4] = [
        ("p50", |point| point.p50),
        ("p99", |point| point.p99),
        ("p99.9", |point| point.p999),
        ("max", |point| point.max),
    ];
    for ((name, of), color) in lines.into_iter().zip(COLORS) {
        let line = steps(points, |point| of(point).max(1) as f64);
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))
            .map_err(cannot)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::MiddleRight).background_style(WHITE.mix(0.8)).border_style(LIGHT);
    legend.draw().map_err(cannot)?;
    Ok(())
}

/// A number that holds for a second is a step, not a point.
fn steps(points: &[Point], of: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let starts = std::iter::once(0.0).chain(points.iter().map(|point| point.second));
    starts.zip(points).flat_map(|(start, point)| [(start, of(point)), (point.second, of(point))]).collect()
}

fn end(points: &[Point]) -> f64 {
    points.last().map_or(1.0, |point| point.second.max(0.001))
}

fn shortened(number: f64) -> String {
    if number >= 1_000.0 { format!("{} k", number / 1_000.0) } else { format!("{number}") }
}

fn time(micros: f64) -> String {
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        1_000.0..1_000_000.0 => format!("{} ms", micros / 1_000.0),
        _ => format!("{} s", micros / 1_000_000.0),
    }
}

fn cannot(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// Room for the legend beside the lines.
const MARGIN: f64 = 1.12;
const SIZE: (u32, u32) = (1_000, 700);
const LIGHT: RGBColor = RGBColor(225, 225, 225);
/// Told apart by people who see colours differently, too.
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(213, 94, 0)];
