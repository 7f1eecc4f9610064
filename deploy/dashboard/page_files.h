// Where on the data's way: the live page; page.css and page.js, which the build puts into the program.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_PAGE_FILES_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_PAGE_FILES_H_

namespace downpour {

extern const char kPageCss[];
extern const char kPageJs[];

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_PAGE_FILES_H_
