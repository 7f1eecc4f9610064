// Where on the data's way: the live page; puts each part that the server sends in place of the one before.
"use strict";

const connection = document.getElementById("connection");
const source = new EventSource("/events" + document.body.dataset.query);
source.onopen = () => { connection.textContent = "live"; };
source.onerror = () => { connection.textContent = "no connection to downpour-dashboard; trying again"; };

for (const part of ["runs", "cluster", "replicas", "shards", "downloads", "figures", "log"]) {
  source.addEventListener(part, (event) => {
    const element = document.getElementById(part);
    // What a person is doing stays as it is: the element in focus, the boxes that are ticked, the place in
    // the log.
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const ticked = new Map([...element.querySelectorAll("input")].map((box) => [box.value, box.checked]));
    const at_end = element.scrollTop + element.clientHeight >= element.scrollHeight - 4;
    element.innerHTML = event.data;
    for (const box of element.querySelectorAll("input")) box.checked = ticked.get(box.value) ?? box.checked;
    if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
    if (part === "log" && at_end) element.scrollTop = element.scrollHeight;
  });
}

const log = document.getElementById("log");
log.scrollTop = log.scrollHeight;
