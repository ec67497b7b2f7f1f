// The search would start a worker from a blob, which the page's policy does not allow; the browser's own serves.
Redoc.init("/api/openapi.json", { disableSearch: true, hideDownloadButton: false }, document.getElementById("viewer"));
