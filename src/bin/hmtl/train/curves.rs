//! Curves of a run as SVG: training losses, dev scores, and the tasks' shares of the steps.

use std::path::Path;

use hmtl::{Error, Result};
use plotters::prelude::*;
use serde_json::Value;

const SIZE: (u32, u32) = (900, 1050);
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(140, 86, 75),
    RGBColor(23, 190, 207),
    RGBColor(127, 127, 127),
];

/// A named line over epochs.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws the curves of the epochs in `metrics`, the lines of metrics.jsonl.
pub fn draw(metrics: &[Value], path: &Path) -> Result<()> {
    let epochs: Vec<&Value> = metrics.iter().filter(|v| v["event"] == "epoch").collect();
    let mut names: Vec<&String> = epochs
        .iter()
        .flat_map(|e| e["tasks"].as_object().into_iter().flat_map(|t| t.keys()))
        .collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|n| seen.insert(n.as_str()));
    let lines = |value: &dyn Fn(&Value, &str) -> Option<f64>| -> Vec<Line> {
        let line = |name: &&String| Line {
            name: (*name).clone(),
            points: epochs
                .iter()
                .filter_map(|e| Some((e["epoch"].as_f64()?, value(e, name)?)))
                .collect(),
        };
        names.iter().map(line).collect()
    };
    let task = |e: &Value, name: &str, key: &str| e["tasks"][name][key].as_f64();
    // Losses of different heads differ by orders of magnitude: each is shown as a share of its first.
    let mut losses = lines(&|e, name| task(e, name, "loss"));
    for line in &mut losses {
        let first = line.points.first().map_or(1.0, |p| p.1).abs().max(1e-12);
        line.points.iter_mut().for_each(|p| p.1 /= first);
    }
    let scores = lines(&|e, name| task(e, name, "score"));
    let shares = lines(&|e, name| {
        let all = e["tasks"].as_object()?.values().filter_map(|t| t["steps"].as_f64()).sum::<f64>();
        Some(task(e, name, "steps")? / all.max(1.0))
    });
    let panels = [
        ("training loss, as a share of that of the first epoch", losses),
        ("dev score", scores),
        ("share of the steps", shares),
    ];
    let last = epochs.iter().filter_map(|e| e["epoch"].as_f64()).fold(1.0, f64::max);
    let failed = |e: String| Error::Internal(format!("cannot draw {}: {e}", path.display()));
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|e| failed(e.to_string()))?;
        for (area, (title, lines)) in root.split_evenly((panels.len(), 1)).iter().zip(&panels) {
            panel(area, title, lines, last).map_err(|e| failed(e.to_string()))?;
        }
        root.present().map_err(|e| failed(e.to_string()))?;
    }
    super::write_whole(path, &svg)
}

fn panel(
    area: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    title: &str,
    lines: &[Line],
    last: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let most = lines.iter().flat_map(|l| &l.points).map(|p| p.1).fold(0.0, f64::max);
    let top = if most > 0.0 { most * 1.05 } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(48)
        // Room on the right for the names.
        .build_cartesian_2d(1.0..1.0 + (last.max(2.0) - 1.0) * 1.2, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("epoch")
        .x_labels(last.clamp(2.0, 16.0) as usize)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
            .label(line.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_task_has_a_line_in_every_panel() {
        let epoch = |n: usize| {
            let task = |score: f64| json!({"steps": 5, "loss": 1.0 / n as f64, "score": score});
            json!({"event": "epoch", "epoch": n, "tasks": {"ner": task(0.5), "coref": task(0.4)}})
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("curves.svg");
        for metrics in
            [vec![], vec![epoch(1)], vec![epoch(1), epoch(2), json!({"event": "finished"})]]
        {
            draw(&metrics, &path).unwrap();
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(svg.starts_with("<svg") && svg.contains("dev score"));
            let tasks = if metrics.is_empty() { 0 } else { 3 };
            assert_eq!(svg.matches("coref").count(), tasks);
        }
    }
}
