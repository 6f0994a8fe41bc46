"use strict";
const find = (selector) => document.querySelector(selector);
const form = find("form"), file = find("#file"), go = find("#go"), shown = find("#shown"), working = find("#working");
const tabs = [...document.querySelectorAll("[role=tab]")];
const labels = { upload: "Analyse the clip", record: "Analyse the recording", examples: "Analyse the example" };
let source = "upload", recording = null, recorder = null, stream = null;

function choose(tab) {
  source = tab.getAttribute("aria-controls");
  for (const each of tabs) {
    const on = each === tab;
    each.setAttribute("aria-selected", on);
    each.tabIndex = on ? 0 : -1;
    find("#" + each.getAttribute("aria-controls")).hidden = !on;
  }
  find("#fps-field").hidden = source !== "upload";
  find("#recording-field").hidden = source === "examples";
  if (find("#aus-field")) find("#aus-field").hidden = source === "examples";
  go.textContent = labels[source];
  if (source !== "record") closeCamera();
}
tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(i + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
});
for (const kind of ["dragover", "dragleave", "drop"]) file.addEventListener(kind, () => file.classList.toggle("over", kind === "dragover"));

const camera = find("#camera"), shoot = find("#shoot"), recorded = find("#recorded");
function closeCamera() {
  if (recorder && recorder.state === "recording") recorder.stop();
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
}
async function record() {
  const type = ["video/webm;codecs=vp9", "video/webm", "video/mp4"].find((kind) => MediaRecorder.isTypeSupported(kind));
  stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { width: { ideal: 1280 }, frameRate: { ideal: 60 } } });
  Object.assign(camera, { src: "", srcObject: stream, controls: false });
  await camera.play();
  const pieces = [];
  recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 6e6 });
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => {
    clearTimeout(limit);
    closeCamera();
    recording = new File(pieces, type.startsWith("video/mp4") ? "recording.mp4" : "recording.webm", { type });
    Object.assign(camera, { srcObject: null, src: URL.createObjectURL(recording), controls: true });
    shoot.textContent = "Record again";
    recorded.textContent = "Recorded. Watch it, or analyse it.";
  });
  recorder.start();
  const limit = setTimeout(() => recorder.stop(), 1000 * (shoot.dataset.longestS - 1));
  shoot.textContent = "Stop";
  recorded.textContent = "Recording …";
}
shoot.addEventListener("click", () => {
  if (recorder && recorder.state === "recording") recorder.stop();
  else record().catch((error) => { closeCamera(); recorded.textContent = "The camera could not be used: " + error.message; });
});
if (!navigator.mediaDevices || !window.MediaRecorder) {
  shoot.disabled = true;
  recorded.textContent = "A browser lends its camera only to https pages and to this machine itself (localhost).";
}

function fields() {
  const sent = new FormData();
  if (source === "examples") sent.set("example", new FormData(form).get("example"));
  else {
    const clip = source === "upload" ? file.files[0] : recording;
    if (clip) sent.set("file", clip);
    if (find("#aus")) sent.set("aus", find("#aus").value);
    if (source === "upload") sent.set("fps", find("#fps").value);
    if (find("#recording").checked) sent.set("recording", "true");
  }
  return sent;
}
async function analyse() {
  const answer = await fetch("/analyse", { method: "POST", body: fields(), headers: { Accept: "application/x-ndjson" } });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", done = false; !done; ) {
    const piece = await reader.read();
    done = piece.done;
    const lines = (rest + (piece.value || "")).split("\n");
    rest = lines.pop();
    for (const update of lines.map((line) => JSON.parse(line))) {
      if (update.html) shown.innerHTML = update.html;
      else { find("#doing").textContent = update.text; find("#bar").value = update.done; }
    }
  }
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  shown.replaceChildren();
  find("#doing").textContent = "Sending the clip";
  find("#bar").value = 0;
  go.disabled = true;
  working.hidden = false;
  try {
    await analyse();
    if (!shown.firstElementChild) throw new Error("the server stopped");
    // Codes belong to their clip, so they go with it.
    if (find("#aus")) find("#aus").value = "";
  } catch (error) {
    shown.innerHTML = '<div class="note problem" role="alert"><p><strong>No result.</strong> The server did not answer. Is it still running?</p></div>';
  }
  working.hidden = true;
  go.disabled = false;
});
find("[name=example]").checked = true;
document.body.classList.add("live");
choose(tabs[0]);
