// Counts the Blob URLs that are open, so that a test can see whether they are given back.
window.openBlobs = new Set();
const create = URL.createObjectURL.bind(URL);
const revoke = URL.revokeObjectURL.bind(URL);
URL.createObjectURL = (blob) => {
  const url = create(blob);
  if (/video|image/.test(blob.type)) window.openBlobs.add(url);
  return url;
};
URL.revokeObjectURL = (url) => {
  window.openBlobs.delete(url);
  revoke(url);
};
