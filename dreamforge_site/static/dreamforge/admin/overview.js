// The first page: its parts renew themselves, its charts follow the colours of the theme.

import { renew } from "./live.js";

const charts = new Map();

function colours() {
  const style = getComputedStyle(document.documentElement);
  const dark = document.documentElement.classList.contains("dark");
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of(dark ? "--color-base-300" : "--color-base-600"),
    grid: of(dark ? "--color-base-800" : "--color-base-200"),
    good: dark ? "#4ade80" : "#15803d",
    bad: dark ? "#f87171" : "#dc2626",
    idle: dark ? "#9ca3af" : "#9ca3af",
    main: of("--color-primary-500"),
    soft: of("--color-primary-300"),
  };
}

const SETS = {
  jobs: {
    type: "bar",
    stacked: true,
    sets: (c) => [
      ["succeeded", "Succeeded", c.good],
      ["failed", "Failed", c.bad],
      ["canceled", "Canceled", c.idle],
    ],
    say: (value) => `${value}`,
  },
  waited: { type: "line", sets: (c) => [["p50", "Median", c.main], ["p95", "95 %", c.soft]], say: seconds },
  ran: { type: "line", sets: (c) => [["p50", "Median", c.main], ["p95", "95 %", c.soft]], say: seconds },
  bytes: { type: "bar", sets: (c) => [["received", "Received", c.main]], say: bytes },
};

function seconds(value) {
  if (value >= 7200) return `${(value / 3600).toFixed(1)} h`;
  if (value >= 120) return `${(value / 60).toFixed(1)} min`;
  return value >= 1 ? `${Number(value.toFixed(1))} s` : `${Math.round(value * 1000)} ms`;
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function datasets(kind, data, c) {
  return kind.sets(c).map(([key, label, colour]) => ({
    label,
    data: data[key],
    backgroundColor: colour,
    borderColor: colour,
    borderWidth: kind.type === "line" ? 2 : 0,
    borderRadius: 3,
    maxBarThickness: 14,
    pointRadius: kind.type === "line" ? 2 : 0,
    tension: 0.25,
    spanGaps: false,
  }));
}

function options(kind, c) {
  const ticks = { color: c.text, maxRotation: 0, autoSkipPadding: 12, font: { size: 11 } };
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    plugins: {
      legend: {
        display: kind.sets(c).length > 1,
        position: "bottom",
        labels: { color: c.text, boxWidth: 10, boxHeight: 10, font: { size: 11 } },
      },
      tooltip: { callbacks: { label: (item) => ` ${item.dataset.label}: ${kind.say(item.parsed.y)}` } },
    },
    scales: {
      x: { stacked: Boolean(kind.stacked), grid: { display: false }, border: { color: c.grid }, ticks },
      y: {
        stacked: Boolean(kind.stacked),
        beginAtZero: true,
        grid: { color: c.grid },
        border: { display: false },
        ticks: { ...ticks, maxTicksLimit: 5, precision: 0, callback: (value) => kind.say(value) },
      },
    },
  };
}

function read() {
  const source = document.getElementById("df-charts-data");
  return source ? JSON.parse(source.textContent) : {};
}

function draw() {
  const all = read();
  const c = colours();
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
    const name = canvas.dataset.chart;
    const data = all[name];
    const kind = SETS[name];
    if (!data || !kind) continue;
    const chart = charts.get(name);
    if (chart) {
      chart.data = { labels: data.labels, datasets: datasets(kind, data, c) };
      chart.options = options(kind, c);
      chart.update("none");
    } else {
      const content = { labels: data.labels, datasets: datasets(kind, data, c) };
      charts.set(name, new Chart(canvas, { type: kind.type, data: content, options: options(kind, c) }));
    }
    tell(canvas, kind, data);
  }
}

// A chart is a picture: its numbers in words, for who cannot see it.
function tell(canvas, kind, data) {
  const words = kind.sets(colours()).map(([key, label]) => {
    const values = data[key].filter((value) => value !== null);
    const most = values.length ? kind.say(Math.max(...values)) : "nothing";
    return `${label}: at most ${most} in an hour`;
  });
  const empty = kind.sets(colours()).every(([key]) => data[key].every((value) => !value));
  canvas.setAttribute("aria-label", `${canvas.dataset.title}. ${empty ? "Nothing yet" : words.join("; ")}.`);
  canvas.closest(".df-chart")?.classList.toggle("df-chart-empty", empty);
}

Chart.defaults.font.family = "Inter, system-ui, sans-serif";
draw();
new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["class"] });
renew({ every: 4000, onUpdate: draw });
