"use strict";
for (const face of document.querySelectorAll("section.face")) {
  const find = (selector) => face.querySelector(selector);
  const slider = find("[data-zoom]"), box = find(".tracks"), drawing = box.querySelector("svg"), strip = box.querySelector(".strip");
  const zoom = (factor, share) => {
    const at = (box.scrollLeft + share * box.clientWidth) / box.scrollWidth;
    strip.style.width = 100 * factor + "%";
    box.scrollLeft = at * box.scrollWidth - share * box.clientWidth;
  };
  slider.addEventListener("input", () => zoom(Number(slider.value), 0.5));
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    slider.value = Number(slider.value) * (event.deltaY < 0 ? 1.25 : 0.8);
    zoom(Number(slider.value), (event.clientX - box.getBoundingClientRect().left) / box.clientWidth);
  }, { passive: false });

  const player = find(".moment");
  if (!player) continue;
  const data = JSON.parse(find('script[type="application/json"]').textContent);
  const load = (code) => { const image = new Image(); image.src = "data:image/jpeg;base64," + code; return image; };
  const pictures = data.pictures.map(load), spotted = data.expressions;
  for (const one of spotted) one.shown = one.magnified.map(load);
  const picture = find(".seen img"), large = find(".large img"), cursor = find(".cursor"), play = find(".play");
  const lights = [...player.querySelectorAll(".light")], arrows = [...player.querySelectorAll(".arrow")];
  const last = pictures.length - 1, length = drawing.viewBox.baseVal.width;
  const clock = (ms) => Math.floor(ms / 60000) + ":" + (ms / 1000 % 60).toFixed(2).padStart(5, "0");
  let at = 0, chosen = null, timer = 0;

  function draw() {
    const one = spotted.find((each) => each.at.includes(at)), step = one ? one.at.indexOf(at) : 0;
    picture.src = pictures[at].src;
    find(".large").hidden = !one;
    if (one) {
      large.src = one.shown[step].src;
      find(".factor").textContent = one.factor;
    }
    lights.forEach((light, i) => { light.style.opacity = one && one.light[step][i] > 0.06 ? one.light[step][i] : 0; });
    arrows.forEach((arrow, i) => {
      const [u, v] = one ? one.arrows[step][i] : [0, 0];
      arrow.setAttribute("x2", +arrow.getAttribute("x1") + u);
      arrow.setAttribute("y2", +arrow.getAttribute("y1") + v);
      arrow.style.opacity = Math.hypot(u, v) > 3 ? 1 : 0;
    });
    cursor.setAttribute("x1", data.t_ms[at]);
    cursor.setAttribute("x2", data.t_ms[at]);
    find(".clock").textContent = clock(data.t_ms[at]);
    find(".name").textContent = one ? one.name : "";
    find(".what").textContent = data.what[at];
    face.querySelectorAll("[data-expression]").forEach((each) => each.classList.toggle("on", !!one && +each.dataset.expression === one.id));
  }
  function stop() { clearTimeout(timer); timer = 0; play.textContent = "Play"; }
  function run() {
    const end = chosen ? chosen.at[chosen.at.length - 1] : last;
    const inside = spotted.some((each) => each.at.includes(at));
    timer = setTimeout(() => {
      at = at < end ? (chosen ? chosen.at[chosen.at.indexOf(at) + 1] : at + 1) : chosen ? chosen.at[0] : 0;
      draw();
      run();
    }, chosen && at === end ? 700 : inside ? 110 : 160);
    play.textContent = "Pause";
  }
  function go(to) { stop(); chosen = null; at = Math.max(0, Math.min(last, to)); draw(); }
  function choose(one) {
    stop();
    chosen = one;
    at = one.at[0];
    draw();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { at = one.at[one.apex]; draw(); } else run();
  }
  function nearest(ms) { return data.t_ms.reduce((best, t, i) => Math.abs(t - ms) < Math.abs(data.t_ms[best] - ms) ? i : best, 0); }
  function beside(way) {
    const now = data.t_ms[at], order = way > 0 ? spotted : [...spotted].reverse();
    const next = order.find((each) => each !== chosen && way * (each.from_ms - now) > 0) || order[0];
    if (next) choose(next);
  }
  drawing.addEventListener("click", (event) => {
    event.preventDefault();
    const area = drawing.getBoundingClientRect(), ms = (event.clientX - area.left) / area.width * length;
    const slack = 4 / area.width * length;
    const one = spotted.find((each) => ms >= each.from_ms - slack && ms <= each.to_ms + slack);
    if (one) choose(one); else go(nearest(ms));
  });
  face.querySelectorAll("tr a[data-expression]").forEach((link) => link.addEventListener("click", (event) => {
    const one = spotted.find((each) => each.id === +link.dataset.expression);
    if (!one) return;
    event.preventDefault();
    player.scrollIntoView({ block: "nearest" });
    choose(one);
  }));
  play.addEventListener("click", () => { if (timer) stop(); else run(); });
  find(".previous").addEventListener("click", () => beside(-1));
  find(".next").addEventListener("click", () => beside(1));
  box.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), " ": () => play.click(), Enter: () => beside(1) };
    if (keys[event.key] && event.target === box) { event.preventDefault(); keys[event.key](); }
  });
  player.classList.add("live");
  if (spotted.length) { at = spotted[0].at[spotted[0].apex]; chosen = spotted[0]; }
  draw();
}
