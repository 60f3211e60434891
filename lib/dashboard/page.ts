/** The page: all of it is drawn by its script, which puts names and values in as text. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Athanor</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/main.css">
</head>
<body>
<main id="content"><noscript>This page is drawn by JavaScript.</noscript></main>
<script src="/main.js"></script>
</body>
</html>
`;
