// How OHIF is set up behind the gateway: same origin, our archive, no questions before a result is shown.
window.config = {
  name: 'neuronova-node',
  routerBasename: '/pacs-viewer',
  extensions: [],
  modes: [],
  customizationService: [
    { 'ohif.tours': { $set: [] } },
    {
      // Reports of other makers may have measurement groups without image coordinates (TID 1411 with a segment, TID 1501).
      // OHIF 3.13.2 throws at them and shows nothing; with an empty item it passes them over.
      onBeforeSRAddMeasurement: {
        $set: ({ measurement }) => {
          if (!measurement.coords || !measurement.coords.length) {
            measurement.coords = [{}];
          }
          return measurement;
        },
      },
    },
  ],
  showStudyList: true,
  maxNumberOfWebWorkers: 2,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  showErrorDetails: 'always',
  // A segmentation is shown as soon as it is opened, without "open this segmentation?".
  disableConfirmationPrompts: true,
  investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'archive',
  // The session ended: back to the login page.
  httpErrorHandler: error => {
    if (error && error.status === 401) {
      window.location.assign('/login?next=' + encodeURIComponent(window.location.pathname + window.location.search));
    }
  },
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'archive',
      configuration: {
        friendlyName: 'Archive',
        name: 'archive',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/dicom-web',
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        supportsReject: false,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        dicomUploadEnabled: false,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
