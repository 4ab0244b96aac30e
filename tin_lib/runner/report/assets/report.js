// Draws the figures of a report page in the colours of the page, and lets the code be hidden.
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The page's colours as a template: what a figure sets itself wins over it.
function themed(layout) {
  const figure = structuredClone(layout);
  const base = (figure.template ||= {});
  const own = (base.layout ||= {});
  const grid = colour("--grid");
  own.font = { ...own.font, color: colour("--text") };
  own.paper_bgcolor = own.plot_bgcolor = "rgba(0,0,0,0)";
  own.hoverlabel = { ...own.hoverlabel, bgcolor: colour("--panel"), font: { color: colour("--text") } };
  own.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("--soft"), activecolor: colour("--text") };
  for (const axis of ["xaxis", "yaxis"]) {
    own[axis] = { ...own[axis], gridcolor: grid, linecolor: grid, zerolinecolor: grid };
  }
  delete figure.width;  // the page's width decides
  return { ...figure, autosize: true };
}

function draw(div) {
  div.figure ||= JSON.parse(div.querySelector("script").textContent);
  const options = { responsive: true, displaylogo: false };
  return Plotly.react(div, div.figure.data, themed(div.figure.layout), options);
}

function drawAll() {
  for (const div of document.querySelectorAll(".tin-figure")) {
    try {
      draw(div);
    } catch (error) {  // the others are drawn all the same
      div.textContent = `This figure cannot be drawn: ${error.message}`;
    }
  }
}

function addCodeSwitch() {
  const nav = document.querySelector("nav");
  if (!nav || !document.querySelector(".input")) return;
  const button = document.createElement("button");
  const name = () => (document.body.classList.contains("hide-code") ? "Show code" : "Hide code");
  button.textContent = name();
  button.onclick = () => {
    document.body.classList.toggle("hide-code");
    button.textContent = name();
  };
  nav.append(button);
}

addCodeSwitch();
drawAll();
dark.addEventListener("change", drawAll);
