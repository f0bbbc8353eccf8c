// The box for one's own sound, which is Gradio's: a phone's recording becomes a WAV before the box sees it.
import { asWav, isPhones } from "./widgets/decode.js";

// say(text): what went wrong.
export function decodePhones(box, say) {
  const made = new WeakSet(); // events of our own

  const replace = async (event, files, again) => {
    if (made.has(event) || ![...files].some(isPhones)) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const transfer = new DataTransfer();
    try {
      for (const file of await Promise.all([...files].map(asWav))) transfer.items.add(file);
    } catch (error) {
      return say(error.message);
    }
    const other = again(transfer);
    made.add(other);
    return event.target.dispatchEvent(other);
  };

  const isOurs = ({ target }) => target.closest?.(box);
  const chosen = (event) => isOurs(event) && event.target.type === "file" && replace(event, event.target.files, (transfer) => {
    event.target.files = transfer.files;
    return new Event("change", { bubbles: true });
  });
  const dropped = (event) => isOurs(event) && replace(event, event.dataTransfer?.files ?? [], (dataTransfer) => (
    new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true })
  ));
  document.addEventListener("change", chosen, true);
  document.addEventListener("drop", dropped, true);
}
