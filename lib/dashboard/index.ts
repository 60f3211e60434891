// A page that follows the studies of a storage while their trials run.
export { serveDashboard, type Dashboard, type DashboardOptions } from "./server.js";
