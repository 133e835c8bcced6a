// Thumbnails made lazily: a few requests at a time, newest first, and none for what has left the screen.

const THUMBNAILS_AT_ONCE = 3;
const THUMBNAILS_KEPT = 300;

/** `draw(row)` gives an element with a row's contact sheet; its frames go by as the pointer moves over it. */
function createThumbnails(view) {
  const blobs = createBlobCache(THUMBNAILS_KEPT);
  const counts = new Map(); // frames in each sheet
  let wanted = [],
    asking = 0;

  const paint = (element, row) => {
    element.style.backgroundImage = `url("${blobs.get(row)}")`;
    element.style.backgroundSize = `${100 * counts.get(row)}% 100%`;
    element.classList.add("ready");
  };
  const fetchSheet = async (element, row) => {
    const { content, buffers } = await view.ask("thumbnail", { row });
    asking--;
    if (buffers.length) {
      counts.set(row, content.frames);
      blobs.put(row, buffers[0], "image/jpeg");
      paint(element, row);
    } else {
      element.classList.add("broken");
      element.title = content.problem || "";
    }
    fetchWanted();
  };
  const fetchWanted = () => {
    while (asking < THUMBNAILS_AT_ONCE && wanted.length) {
      const [element, row] = wanted.pop();
      if (!element.isConnected) continue;
      asking++;
      fetchSheet(element, row);
    }
  };
  return {
    draw(row) {
      const element = div("actlib-thumbnail");
      element.addEventListener("pointermove", (event) => {
        const count = counts.get(row);
        if (!count) return;
        const at = Math.min(count - 1, Math.floor(count * shareOf(event, element)));
        element.style.backgroundPositionX = `${(100 * at) / Math.max(1, count - 1)}%`;
      });
      if (blobs.get(row)) paint(element, row);
      else {
        wanted.push([element, row]);
        queueMicrotask(fetchWanted);
      }
      return element;
    },
    close() {
      wanted = [];
      blobs.close();
    },
  };
}
